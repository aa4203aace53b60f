//! The same entries in every notation, and what each is refused for.

use super::*;

const TOML: &str = "\
[[tokens]]
token = \"5cbc01\"
owner = \"Ada Lovelace\"
allowed_networks = [\"10.0.0.0/8\", \"192.0.2.7\"]
created = \"2026-01-01\"
protected = true

[[tokens]]
consumer = \"acme\"
team = \"orders\"
quota = \"100000/day\"
";
const CSV: &str = "\u{feff}Token,Consumer,Owner,Team,Allowed Networks,created,quota,protected\r\n\
5cbc01,,Ada Lovelace,,10.0.0.0/8; 192.0.2.7,2026-01-01,,yes\r\n\
,acme,,orders,,,100000/day,\r\n";
const NDJSON: &str = "\
{\"token\":\"5cbc01\",\"owner\":\"Ada Lovelace\",\"allowed_networks\":[\"10.0.0.0/8\",\"192.0.2.7\"],\"created\":\"2026-01-01\",\"protected\":true}

{\"consumer\":\"acme\",\"team\":\"orders\",\"quota\":\"100000/day\"}
";

#[test]
fn every_notation_says_the_same() {
    let array = format!("[\n{}\n]", NDJSON.trim().replace("\n\n", ",\n"));
    let entries = read(Notation::Toml, TOML).expect("TOML");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].owner.as_deref(), Some("Ada Lovelace"));
    assert!(entries[0].protected);
    assert_eq!(read(Notation::Csv, CSV), Ok(entries.clone()));
    assert_eq!(read(Notation::Json, NDJSON), Ok(entries.clone()));
    assert_eq!(read(Notation::Json, &array), Ok(entries));
    for (notation, empty) in [
        (Notation::Toml, ""),
        (Notation::Csv, "token,owner\n"),
        (Notation::Json, "[]"),
        (Notation::Json, "\n"),
    ] {
        assert_eq!(read(notation, empty), Ok(Vec::new()), "{empty:?}");
    }
}

#[track_caller]
fn check(notation: Notation, text: &str, want: &str) {
    let problems = read(notation, text).expect_err(text);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let told = problems.join("\n");
    assert!(
        told.starts_with(want),
        "{text}\n  told: {told}\n  want: {want}"
    );
}

#[test]
fn problems_name_line_and_field() {
    use Notation::{Csv, Json, Toml};
    check(
        Toml,
        "[[tokens]]\ntoken = \"a\"\nowenr = \"b\"\n",
        "3: tokens[0].owenr: unknown field",
    );
    check(
        Toml,
        "[[tokens]]\ntoken = \"a\"\n\n[[tokens]]\ntoken = \"b\"\nquota = \"9/week\"\n",
        "6: tokens[1].quota: a quota is calls per hour",
    );
    check(
        Toml,
        "[[tokens]]\nowner = \"a\"\n",
        "1: token: name a token",
    );
    check(Toml, "[[tokens]\n", "1: ");
    check(
        Toml,
        "[[tokens]]\ntoken = \"a\"\n[[tokens]]\ntoken = \"a\"\n",
        "3: token: is there already, in line 1",
    );
    check(
        Csv,
        "token,owner\na,b\nc,d,e\n",
        "3: has 3 cells, and the first line 2",
    );
    check(
        Csv,
        "token,allowed_networks\na,10.0.0.0/8\nb,10.0.0.0/99\n",
        "3: allowed_networks: \"10.0.0.0/99\" is neither a network",
    );
    check(Csv, "token,salary\na,1\n", "2: salary: unknown field");
    check(
        Csv,
        "token,expires\na,soon\n",
        "2: expires: \"soon\" is neither a time",
    );
    check(
        Csv,
        "token,protected\na,maybe\n",
        "2: protected: invalid type",
    );
    check(
        Json,
        "{\"token\":\"a\"}\n{\"token\":\"b\",\"class\":\"royal\"}\n",
        "2: class: unknown variant `royal`",
    );
    check(Json, "{\"token\":\"a\"}\n{\"token\":\n", "2: ");
    check(
        Json,
        "[\n {\"token\":\"a\"},\n {\"token\":\"b\",\n  \"allowed_countries\":[\"DE\",\"GER\"]}\n]",
        "3: allowed_countries[1]: a country is two letters",
    );
    check(Json, "[{\"token\":\"a\"}", "1: EOF");
}

#[test]
fn all_lines_are_told_at_once_but_not_without_end() {
    let wrong: Vec<String> = (0..50).map(|n| format!("{n},royal\n")).collect();
    let text = format!("token,class\n{}", wrong.concat());
    assert_eq!(read(Notation::Csv, &text).expect_err("wrong").len(), 20);
}

#[test]
fn notations_are_told_by_name_and_media_type() {
    for (name, want) in [
        ("a/tokens.TOML", Some(Notation::Toml)),
        ("tokens.csv", Some(Notation::Csv)),
        ("tokens.ndjson", Some(Notation::Json)),
        ("tokens", None),
        ("tokens.xlsx", None),
    ] {
        assert_eq!(Notation::of_path(Path::new(name)), want, "{name}");
    }
    for (media_type, want) in [
        ("text/csv; charset=utf-8", Notation::Csv),
        ("application/json", Notation::Json),
        ("application/x-ndjson", Notation::Json),
        ("", Notation::Json),
    ] {
        assert_eq!(Notation::of_media_type(media_type), want, "{media_type}");
    }
}
