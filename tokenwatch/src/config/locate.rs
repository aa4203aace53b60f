//! Finds the line of a key path in a TOML document.

use toml_edit::{Document, Item, Table, Value};

/// A parsed document and its text.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    document: Option<Document<&'t str>>,
}

impl<'t> Lines<'t> {
    /// The lines of `text`; finds nothing if it is not TOML.
    pub(crate) fn of(text: &'t str) -> Self {
        Self {
            text,
            document: Document::parse(text).ok(),
        }
    }

    /// The line of `path` (`alerting.receivers[0].url`), or of its nearest parent that the file has.
    pub(crate) fn find(&self, path: &str) -> Option<usize> {
        let mut table = Node::Table(self.document.as_ref()?.as_table());
        let mut start = None;
        for step in steps(path) {
            let Some((position, next)) = table.step(&step) else {
                break;
            };
            start = position.or(start);
            let Some(next) = next else { break };
            table = next;
        }
        start.map(|start| line_of(self.text, start))
    }
}

/// The line, from 1, that the byte at `start` stands on.
pub(crate) fn line_of(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or(text);
    1 + before.matches('\n').count()
}

/// One step of a key path.
enum Step {
    Key(String),
    Index(usize),
}

/// A place in the document from which a path goes on.
enum Node<'d> {
    Table(&'d Table),
    Item(&'d Item),
    Value(&'d Value),
}

impl<'d> Node<'d> {
    /// Where `step` starts and what lies there.
    fn step(&self, step: &Step) -> Option<(Option<usize>, Option<Node<'d>>)> {
        match (self, step) {
            (Node::Table(table), Step::Key(key)) => {
                let (key, item) = table.get_key_value(key)?;
                let start = key.span().or_else(|| item.span()).map(|span| span.start);
                Some((start, Some(Node::Item(item))))
            }
            (Node::Item(Item::Table(table)), _) => Node::Table(table).step(step),
            (Node::Item(Item::ArrayOfTables(tables)), Step::Index(index)) => {
                let table = tables.get(*index)?;
                Some((
                    table.span().map(|span| span.start),
                    Some(Node::Table(table)),
                ))
            }
            (Node::Item(Item::Value(value)), _) => Node::Value(value).step(step),
            (Node::Value(Value::InlineTable(table)), Step::Key(key)) => {
                let value = table.get(key)?;
                Some((
                    value.span().map(|span| span.start),
                    Some(Node::Value(value)),
                ))
            }
            (Node::Value(Value::Array(array)), Step::Index(index)) => {
                let value = array.get(*index)?;
                Some((
                    value.span().map(|span| span.start),
                    Some(Node::Value(value)),
                ))
            }
            _ => None,
        }
    }
}

fn steps(path: &str) -> impl Iterator<Item = Step> {
    path.split(['.', '['])
        .filter(|part| !part.is_empty())
        .map(
            |part| match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
                Some(index) => Step::Index(index),
                None => Step::Key(part.trim_end_matches(']').trim_matches('"').to_owned()),
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[store]\nurl = \"embedded\"\n\n[[alerting.receivers]]\nname = \"a\"\n\n\
                        [[alerting.receivers]]\nname = \"b\"\nlist = [\n  1,\n  2,\n]\n";

    #[track_caller]
    fn check(path: &str, line: Option<usize>) {
        assert_eq!(Lines::of(TEXT).find(path), line, "{path}");
    }

    #[test]
    fn key_paths_have_lines() {
        check("store.url", Some(2));
        check("alerting.receivers[1].name", Some(8));
        check("alerting.receivers[1].list[1]", Some(11));
    }

    #[test]
    fn a_missing_key_is_told_at_its_parent() {
        check("alerting.receivers[0].url", Some(4));
        check("nothing.here", None);
    }
}
