//! `[[alerting.templates]]`: operators' own wording of titles and texts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokenwatch_model::Problems;
use url::Url;

use crate::layout::{Layout, Templates};

/// The wording for some receivers; `tokenwatch alerts test --preview` shows what comes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateConfig {
    /// The receivers that it is for.
    pub receivers: Vec<String>,
    /// The title; absent: the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text below it; absent: the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the table of facts follows a text of one's own.
    #[serde(default = "yes")]
    pub facts: bool,
}

fn yes() -> bool {
    true
}

/// What messages look like, for each of `receivers`.
pub(super) fn validate(
    templates: &[TemplateConfig],
    receivers: &[&str],
    public_url: Option<&Url>,
    problems: &mut Problems,
) -> Vec<Layout> {
    let mut layouts = vec![Layout::new(public_url.cloned(), None); receivers.len()];
    for (index, template) in templates.iter().enumerate() {
        let key = format!("templates[{index}]");
        let (title, text) = (template.title.as_deref(), template.text.as_deref());
        let parsed = match Templates::parse(title, text, template.facts) {
            Ok(parsed) => Arc::new(parsed),
            Err(message) => {
                problems.add(&key, message);
                continue;
            }
        };
        for (position, name) in template.receivers.iter().enumerate() {
            match receivers.iter().position(|known| known == name) {
                Some(receiver) => {
                    layouts[receiver] = Layout::new(public_url.cloned(), Some(Arc::clone(&parsed)));
                }
                None => problems.add(
                    format!("{key}.receivers[{position}]"),
                    format!("no receiver is called {name:?}"),
                ),
            }
        }
    }
    layouts
}
