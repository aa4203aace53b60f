//! A YAML or JSON document as a tree that knows its lines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser};

use super::{DocumentError, Result};

/// Deeper ones describe no API.
const DEPTH_LIMIT: usize = 200;

/// A value and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    line: usize,
    value: Value,
}

/// Aliases share what they stand for, so a document cannot grow by naming itself.
#[derive(Debug)]
enum Value {
    Text(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(String, Rc<Node>)>),
}

/// A list or map that is being read, and the key that waits for its value.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<String>,
}

/// The first document of `text`.
pub(super) fn parse(text: &str) -> Result<Node> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Rc<Node>> = HashMap::new();
    let text = as_yaml(text);
    for event in Parser::new_from_str(&text) {
        let (event, span) = event.map_err(|error| DocumentError {
            line: error.marker().line(),
            message: error.info().to_owned(),
        })?;
        let line = span.start.line();
        let error = |message: &str| DocumentError {
            line,
            message: message.to_owned(),
        };
        let (anchor, node) = match event {
            Event::Scalar(text, _, anchor, _) => {
                let value = Value::Text(text.into_owned());
                (anchor, Rc::new(Node { line, value }))
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (0, Rc::clone(node)),
                None => return Err(error("an alias stands inside of what it stands for")),
            },
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if open.len() >= DEPTH_LIMIT =>
            {
                anchors.remove(&anchor);
                return Err(error("is nested too deeply"));
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open::new(line, Value::List(Vec::new()), anchor));
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open::new(line, Value::Map(Vec::new()), anchor));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(ended) if open.is_empty() => return Ok(ended.node),
                Some(ended) => (ended.anchor, Rc::new(ended.node)),
                None => continue,
            },
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, Rc::clone(&node));
        }
        match open.last_mut() {
            Some(parent) => parent.add(node)?,
            None => return Err(error("is no OpenAPI document: it is a single text")),
        }
    }
    Err(DocumentError {
        line: 1,
        message: "is empty".to_owned(),
    })
}

/// JSON is YAML but for tabs between values and for characters that are written as two escapes; neither concerns us.
fn as_yaml(text: &str) -> Cow<'_, str> {
    if !text.trim_start().starts_with('{') {
        return Cow::Borrowed(text);
    }
    let mut yaml = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\t', '\\']) {
        let (before, found) = rest.split_at(at);
        yaml.push_str(before);
        let escape = found.get(..6).unwrap_or_default();
        let is_half = escape.starts_with("\\u")
            && matches!(escape.as_bytes()[2], b'd' | b'D')
            && matches!(escape.as_bytes()[3], b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F');
        // An escaped backslash takes its second half along.
        let taken = match found.as_bytes() {
            [b'\t', ..] => 1,
            _ if is_half => 6,
            _ => found
                .char_indices()
                .nth(2)
                .map_or(found.len(), |(end, _)| end),
        };
        yaml.push_str(match found.as_bytes()[0] {
            b'\t' => " ",
            _ if is_half => "\\ufffd",
            _ => &found[..taken],
        });
        rest = &found[taken..];
    }
    yaml.push_str(rest);
    Cow::Owned(yaml)
}

impl Open {
    fn new(line: usize, value: Value, anchor: usize) -> Self {
        Self {
            node: Node { line, value },
            anchor,
            key: None,
        }
    }

    fn add(&mut self, node: Rc<Node>) -> Result<()> {
        match (&mut self.node.value, self.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => entries.push((key, node)),
            (Value::Map(_), None) => match node.text() {
                Some(key) => self.key = Some(key.to_owned()),
                None => return Err(node.error("a key must be a text")),
            },
            (Value::Text(_), _) => {}
        }
        Ok(())
    }
}

impl Node {
    /// The value of a key, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        let found = entries.iter().find(|(name, _)| name == key);
        found.map(|(_, node)| node.as_ref())
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The entries of what must be a map.
    pub(super) fn entries(&self, what: &str) -> Result<Vec<(&str, &Self)>> {
        match &self.value {
            Value::Map(entries) => Ok(entries
                .iter()
                .map(|(key, node)| (key.as_str(), node.as_ref()))
                .collect()),
            Value::Text(_) | Value::List(_) => Err(self.error(&format!("{what} must be a map"))),
        }
    }

    /// The items of what must be a list.
    pub(super) fn items(&self, what: &str) -> Result<impl Iterator<Item = &Self>> {
        match &self.value {
            Value::List(items) => Ok(items.iter().map(Rc::as_ref)),
            Value::Text(_) | Value::Map(_) => Err(self.error(&format!("{what} must be a list"))),
        }
    }

    /// What is wrong here.
    pub(super) fn error(&self, message: &str) -> DocumentError {
        DocumentError {
            line: self.line,
            message: message.to_owned(),
        }
    }
}
