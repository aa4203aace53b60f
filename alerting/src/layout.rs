//! How people's messages are worded: the built-in way, or an operator's own templates.
//!
//! Templates are Jinja (minijinja), see docs/alerting.md. They cannot reach anything but the message, and a limit on
//! their work ends those that run away. One that fails leaves the built-in wording: a page is worth more than its form.

use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::json;
use url::Url;

use crate::message::{Message, clean};
use crate::outgoing::Outgoing;

/// Instructions of one template: a loop over 500 findings takes some 20,000.
const FUEL: u64 = 1_000_000;
/// Bytes of a template's text.
pub(crate) const TEMPLATE_BYTES_LIMIT: usize = 64 * 1024;
/// Characters of a title.
const TITLE_LIMIT: usize = 250;
/// Characters of a text.
const TEXT_LIMIT: usize = 4_000;

/// What messages to one receiver look like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// Where people reach the console.
    pub(crate) public_url: Option<Url>,
    templates: Option<Arc<Templates>>,
}

/// An operator's templates, parsed.
#[derive(Debug)]
pub(crate) struct Templates {
    environment: Environment<'static>,
    has_title: bool,
    has_text: bool,
    with_facts: bool,
}

/// What a template is given.
#[derive(Serialize)]
struct Context<'c> {
    title: &'c str,
    summary: &'c str,
    occasion: &'static str,
    severity: &'static str,
    receiver: &'c str,
    link: Option<&'c str>,
    is_digest: bool,
    findings: Vec<serde_json::Value>,
}

impl Templates {
    /// Reads the templates; the error says what is wrong and where.
    pub(crate) fn parse(
        title: Option<&str>,
        text: Option<&str>,
        with_facts: bool,
    ) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        for (name, template) in [("title", title), ("text", text)] {
            let Some(template) = template else { continue };
            if template.len() > TEMPLATE_BYTES_LIMIT {
                return Err(format!("{name}: at most {TEMPLATE_BYTES_LIMIT} bytes"));
            }
            environment
                .add_template_owned(name, template.to_owned())
                .map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(Self {
            environment,
            has_title: title.is_some(),
            has_text: text.is_some(),
            with_facts,
        })
    }

    fn render(&self, name: &str, context: &Context<'_>) -> Option<String> {
        let template = self.environment.get_template(name).ok()?;
        match template.render(minijinja::value::Serde(context)) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                tracing::warn!(%error, template = name, "a template failed; the built-in wording is used");
                None
            }
        }
    }
}

impl Layout {
    pub(crate) fn new(public_url: Option<Url>, templates: Option<Arc<Templates>>) -> Self {
        Self {
            public_url,
            templates,
        }
    }

    /// Replaces the built-in wording where the operator has their own.
    pub(crate) fn apply(&self, message: &mut Message, outgoing: &Outgoing) {
        let Some(templates) = &self.templates else {
            return;
        };
        let findings = outgoing
            .items
            .iter()
            .map(|item| {
                json!({"occasion": item.occasion.name(), "finding": &*item.finding, "response": item.response})
            })
            .collect();
        let context = Context {
            title: &message.title,
            summary: &message.summary,
            occasion: outgoing.occasion.name(),
            severity: outgoing.severity.name(),
            receiver: &outgoing.receiver,
            link: message.link.as_deref(),
            is_digest: outgoing.is_digest,
            findings,
        };
        let title = templates
            .has_title
            .then(|| templates.render("title", &context))
            .flatten();
        let text = templates
            .has_text
            .then(|| templates.render("text", &context))
            .flatten();
        if let Some(title) = title.filter(|title| !title.is_empty()) {
            message.title = clean(&title, TITLE_LIMIT);
        }
        if let Some(text) = text {
            // Lines are kept: the template's author made them.
            let lines: Vec<String> = text.lines().map(|line| clean(line, TEXT_LIMIT)).collect();
            message.summary = lines.join("\n").chars().take(TEXT_LIMIT).collect();
            if !templates.with_facts {
                message.facts.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{finding, outgoing, outgoing_of};

    fn message(title: Option<&str>, text: Option<&str>, count: u128) -> Message {
        let templates = Templates::parse(title, text, true).expect("templates");
        let layout = Layout::new(None, Some(Arc::new(templates)));
        Message::new(&outgoing_of((1..=count).map(finding).collect()), &layout)
    }

    #[test]
    fn a_template_words_title_and_text() {
        let message = message(
            Some("{{ severity|upper }} {{ findings[0].finding.token.consumer }}"),
            Some(
                "{% for one in findings %}{{ one.finding.detector }} {{ one.occasion }}\n{% endfor %}",
            ),
            2,
        );
        assert_eq!(message.title, "HIGH acme");
        assert_eq!(message.summary, "rate_spike opened\nrate_spike opened");
        assert_eq!(
            message.entries.len(),
            2,
            "the findings are listed all the same"
        );
    }

    #[test]
    fn a_template_that_runs_away_or_fails_leaves_the_built_in_wording() {
        let built_in = Message::new(&outgoing(finding(1)), &Layout::default());
        for text in [
            "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
            "{{ 1 / 0 }}{{ title.nothing() }}",
        ] {
            let message = message(None, Some(text), 1);
            assert_eq!(message.summary, built_in.summary, "{text}");
        }
    }

    #[test]
    fn a_template_that_is_none_is_refused_with_its_place() {
        let error = Templates::parse(Some("{{ title"), None, true).expect_err("no template");
        assert!(error.starts_with("title: "), "{error}");
    }
}
