//! Reads what a client of ClickHouse's HTTP interface sends: the statement, its format, settings and parameters.

use std::borrow::Cow;

use http::request::Parts;

/// URL parameters that are the interface's own, not settings of the engine. The answers are neither compressed nor
/// held back, and there are no sessions and roles.
const NOT_SETTINGS: [&str; 14] = [
    "query",
    "database",
    "default_format",
    "user",
    "password",
    "query_id",
    "session_id",
    "session_timeout",
    "role",
    "compress",
    "decompress",
    "wait_end_of_query",
    "buffer_size",
    "enable_http_compression",
];
/// Name, type, and five more that `DESCRIBE TABLE` tells of a column.
const DESCRIBED_FIELDS: usize = 7;
/// What ClickHouse answers in, if nobody says.
const DEFAULT_FORMAT: &str = "TabSeparated";
/// A statement and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) database: String,
    pub(crate) format: String,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) params: Vec<(String, String)>,
}

/// How a statement is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The rows follow in the body, in this format; the statement without its `FORMAT` clause.
    Insert { sql: String, format: String },
    /// Anything else.
    Other,
}

impl Statement {
    /// Whether a result of this statement starts with a header, also when it has no rows.
    pub(crate) fn needs_header(&self) -> bool {
        let word = first_word(self.sql.trim());
        self.format == "RowBinaryWithNamesAndTypes"
            && (word.eq_ignore_ascii_case("SELECT") || word.eq_ignore_ascii_case("WITH"))
    }
}

/// The URL's part of a request.
pub(crate) struct UrlPart {
    pub(crate) sql: Option<String>,
    pub(crate) statement: Statement,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) is_compressed: bool,
}

/// Reads the URL's parameters.
pub(crate) fn read_url(parts: &Parts) -> Result<UrlPart, String> {
    let query = parts.uri.query().unwrap_or("");
    let mut part = UrlPart {
        sql: None,
        statement: Statement {
            sql: String::new(),
            database: "default".to_owned(),
            format: DEFAULT_FORMAT.to_owned(),
            settings: Vec::new(),
            params: Vec::new(),
        },
        user: None,
        password: None,
        is_compressed: false,
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match name.as_ref() {
            "query" => part.sql = Some(value),
            "database" => part.statement.database = value,
            "default_format" => part.statement.format = value,
            "user" => part.user = Some(value),
            "password" => part.password = Some(value),
            "decompress" => part.is_compressed = value == "1",
            name if NOT_SETTINGS.contains(&name) => {}
            name => add_setting(&mut part.statement, name, value)?,
        }
    }
    Ok(part)
}

/// Reads the fields of a multipart form: `query` and `param_…`.
pub(crate) fn read_form(
    statement: &mut Statement,
    content_type: &str,
    body: &[u8],
) -> Result<(), String> {
    let boundary = content_type
        .split_once("boundary=")
        .map(|(_, rest)| rest.split(';').next().unwrap_or(rest).trim_matches('"'))
        .ok_or("the form has no boundary")?;
    let text = String::from_utf8_lossy(body);
    let delimiter = format!("\r\n--{boundary}");
    let first = format!("--{boundary}");
    let rest = text
        .strip_prefix(&first)
        .ok_or("the form does not start with its boundary")?;
    for field in rest.split(&delimiter) {
        let Some(field) = field.strip_prefix("\r\n") else {
            break;
        };
        let (headers, value) = field
            .split_once("\r\n\r\n")
            .ok_or("a field of the form has no end of headers")?;
        let name = headers
            .split_once("name=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(name, _)| name)
            .ok_or("a field of the form has no name")?;
        if name == "query" {
            value.clone_into(&mut statement.sql);
        } else {
            add_setting(statement, name, value.to_owned())?;
        }
    }
    Ok(())
}

/// How `statement` is to be run.
pub(crate) fn classify(statement: &Statement) -> Kind {
    let sql = statement.sql.trim();
    let first = first_word(sql);
    if first.eq_ignore_ascii_case("INSERT")
        && let Some((head, format)) = sql.rsplit_once(" FORMAT ")
        && is_name(format.trim())
    {
        return Kind::Insert {
            sql: head.to_owned(),
            format: format.trim().to_owned(),
        };
    }
    Kind::Other
}

/// `SET a = '1', b = '2'`, or with `DEFAULT` what takes it back.
pub(crate) fn set_statement(settings: &[(String, String)], back: bool) -> String {
    let assignments: Vec<String> = settings
        .iter()
        .map(|(name, value)| {
            if back {
                format!("{name} = DEFAULT")
            } else {
                format!("{name} = '{}'", escape(value))
            }
        })
        .collect();
    format!("SET {}", assignments.join(", "))
}

/// The header of `RowBinaryWithNamesAndTypes` from the answer to `DESCRIBE TABLE` in `RowBinary`.
pub(crate) fn header_of(described: &[u8]) -> Result<Vec<u8>, String> {
    let (mut names, mut types) = (Vec::new(), Vec::new());
    let mut count = 0;
    let mut rest = described;
    while !rest.is_empty() {
        for field in 0..DESCRIBED_FIELDS {
            let text = take_text(&mut rest).ok_or("the description of a result is cut short")?;
            match field {
                0 => put_text(&mut names, text),
                1 => put_text(&mut types, text),
                _ => {}
            }
        }
        count += 1;
    }
    let mut header = Vec::with_capacity(names.len() + types.len() + 2);
    put_number(&mut header, count);
    header.extend(names);
    header.extend(types);
    Ok(header)
}

/// Takes a length and so many bytes off the front.
fn take_text<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let mut length = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(text)
}

fn put_text(buffer: &mut Vec<u8>, text: &[u8]) {
    put_number(buffer, text.len());
    buffer.extend_from_slice(text);
}

fn put_number(buffer: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

fn add_setting(statement: &mut Statement, name: &str, value: String) -> Result<(), String> {
    let (list, name) = match name.strip_prefix("param_") {
        Some(name) => (&mut statement.params, name),
        None => (&mut statement.settings, name),
    };
    if !is_name(name) {
        return Err(format!(
            "{name:?} is not the name of a setting or parameter"
        ));
    }
    list.push((name.to_owned(), value));
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The first word, past comments' and brackets' start.
fn first_word(sql: &str) -> &str {
    let sql = sql.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    sql.split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or("")
}

fn escape(value: &str) -> Cow<'_, str> {
    if value.contains(['\\', '\'']) {
        Cow::Owned(value.replace('\\', "\\\\").replace('\'', "\\'"))
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_part(uri: &str) -> Result<UrlPart, String> {
        let (parts, ()) = http::Request::builder()
            .uri(uri)
            .body(())
            .unwrap()
            .into_parts();
        read_url(&parts)
    }

    fn kind_of(sql: &str) -> Kind {
        let mut statement = url_part("/").unwrap().statement;
        sql.clone_into(&mut statement.sql);
        classify(&statement)
    }

    #[test]
    fn settings_and_parameters_are_told_from_the_interface() {
        let part = url_part("/?query=SELECT+1&database=d&max_threads=3&param_x=a%27b&query_id=q");
        let part = part.unwrap();
        assert_eq!(part.sql.as_deref(), Some("SELECT 1"));
        assert_eq!(part.statement.database, "d");
        assert_eq!(
            part.statement.settings,
            [("max_threads".into(), "3".into())]
        );
        assert_eq!(part.statement.params, [("x".into(), "a'b".into())]);
    }

    #[test]
    fn a_header_is_made_from_a_description() {
        let described = b"\x06number\x06UInt64\0\0\0\0\0";
        let header = header_of(described).unwrap();
        assert_eq!(header, b"\x01\x06number\x06UInt64");
        assert!(header_of(&described[..9]).is_err());
        let mut long = Vec::new();
        put_text(&mut long, &[b'x'; 300]);
        assert_eq!(
            take_text(&mut long.as_slice()),
            Some([b'x'; 300].as_slice())
        );
    }

    #[test]
    fn a_setting_cannot_smuggle_sql() {
        assert!(url_part("/?a%3D1%2Cb=2").is_err());
        let settings = [("a".to_owned(), r"x\', b = '1".to_owned())];
        assert_eq!(set_statement(&settings, false), r"SET a = 'x\\\', b = \'1'");
    }

    #[test]
    fn forms_are_read_field_by_field() {
        let mut statement = url_part("/").unwrap().statement;
        let body = "--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {a:String}\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"param_a\"\r\n\r\nx\r\ny\r\n--B--\r\n";
        read_form(
            &mut statement,
            "multipart/form-data; boundary=B",
            body.as_bytes(),
        )
        .unwrap();
        assert_eq!(statement.sql, "SELECT {a:String}");
        assert_eq!(statement.params, [("a".into(), "x\r\ny".into())]);
    }

    #[test]
    fn inserts_with_rows_in_the_body_are_told_apart() {
        assert_eq!(
            kind_of("INSERT INTO t(`a`) FORMAT RowBinary"),
            Kind::Insert {
                sql: "INSERT INTO t(`a`)".into(),
                format: "RowBinary".into()
            }
        );
        assert_eq!(kind_of("INSERT INTO t SELECT 1"), Kind::Other);
        assert_eq!(kind_of("SELECT 1 FORMAT JSON"), Kind::Other);
    }
}
