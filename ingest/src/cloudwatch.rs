//! CloudWatch Logs' envelope, in which its subscriptions send whatever was logged: CloudTrail, API Gateway.
//!
//! `{"messageType":"DATA_MESSAGE","owner":…,"logGroup":…,"logEvents":[{"id":…,"timestamp":…,"message":"…"}]}`: each record
//! is a text inside the envelope, so what is read from it cannot borrow from the document. The envelope is known by its
//! beginning, which costs the other documents nothing.

use std::borrow::Cow;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    message_type: Cow<'a, str>,
    #[serde(borrow)]
    log_events: Vec<LogEvent<'a>>,
}

#[derive(Deserialize)]
struct LogEvent<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

/// The records in `document`; `None` if it is no such envelope.
pub(crate) fn messages(document: &[u8]) -> Option<Vec<Cow<'_, str>>> {
    let is_envelope = [b"{\"messageType\"".as_slice(), b"{\"logEvents\""]
        .iter()
        .any(|start| document.starts_with(start));
    if !is_envelope {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_slice(document).ok()?;
    // Otherwise a message of CloudWatch's own, which asks whether anybody is there.
    let is_data = envelope.message_type != "CONTROL_MESSAGE";
    let events = envelope.log_events.into_iter().filter(|_| is_data);
    Some(events.map(|event| event.message).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stand_in_the_envelope_as_texts() {
        let document = br#"{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{"id":"1","timestamp":1,"message":"{\"a\":1}"},{"id":"2","timestamp":1,"message":"plain"}]}"#;
        assert_eq!(messages(document).unwrap(), ["{\"a\":1}", "plain"]);
        assert_eq!(
            messages(br#"{"logEvents":[{"message":"a"}]}"#).unwrap(),
            ["a"]
        );
    }

    #[test]
    fn messages_of_cloudwatch_itself_hold_nothing() {
        let document = br#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE: Checking health of destination."}]}"#;
        assert!(messages(document).unwrap().is_empty());
    }

    #[test]
    fn anything_else_is_left_alone() {
        for document in [
            r#"{"messageType":"DATA_MESSAGE""#,
            r#"{"messageType":1,"logEvents":[]}"#,
            r#"{"a":1,"logEvents":[]}"#,
            "logEvents",
        ] {
            assert!(messages(document.as_bytes()).is_none(), "{document}");
        }
    }
}
