use std::collections::HashMap;

use super::*;
use crate::testing::{Secrets, secrets, settings};

/// The paths of the problems that `text` has, in order.
fn problems(text: &str, secrets: &Secrets) -> Vec<String> {
    let config: AlertingConfig = toml::from_str(text).expect("the configuration's shape");
    match config.validate("alerting", secrets) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
    }
}

#[test]
fn the_default_announces_to_the_log_and_revokes_nothing() {
    let settings = settings("");
    assert_eq!(settings.receivers.len(), 1);
    assert!(matches!(
        settings.receivers[0].channel,
        ChannelSettings::Log { file: None }
    ));
    assert_eq!(
        settings.response.mode,
        tokenwatch_model::ResponseMode::DryRun
    );
    let kinds: Vec<_> = settings
        .response
        .targets
        .iter()
        .map(|target| &target.kind)
        .collect();
    assert!(matches!(kinds[..], [TargetKind::None]));
}

#[test]
fn the_default_survives_being_written_and_read() {
    let text = toml::to_string(&AlertingConfig::default()).expect("TOML");
    let config: AlertingConfig = toml::from_str(&text).expect("the same");
    assert_eq!(config, AlertingConfig::default());
}

#[test]
fn unknown_keys_are_errors() {
    for text in [
        "colour = 1",
        "[[receivers]]\nkind = \"log\"\nname = \"a\"\nfiel = \"x\"",
        "[[receivers]]\nkind = \"slack\"\nname = \"a\"\nurl_env = \"SLACK_URL\"\nchannel = \"x\"",
        "[[receivers]]\nkind = \"pigeon\"\nname = \"a\"",
        "[[response.targets]]\nkind = \"webhook\"\nname = \"a\"\nund = true",
        "[[routes]]\nseverty = \"low\"",
        "[response]\nmode = \"perhaps\"",
    ] {
        assert!(toml::from_str::<AlertingConfig>(text).is_err(), "{text}");
    }
}

#[test]
fn every_problem_is_told_with_its_path() {
    let text = r#"
        public_url = "tokenwatch.example.com"
        max_age = "1s"
        retry_delays = ["5s", "soon"]
        [[receivers]]
        kind = "log"
        name = "ops"
        [[receivers]]
        kind = "webhook"
        name = "ops"
        url = "http://hook.example.com"
        [[receivers]]
        kind = "slack"
        name = "chat"
        url_env = "UNSET"
        [[receivers]]
        kind = "email"
        name = "mail"
        host = "mail.example.com"
        tls = "none"
        username = "tokenwatch"
        password_env = "PASSWORD"
        from = "nobody"
        to = []
        [[routes]]
        receivers = ["nobody"]
        [[routes]]
        [response]
        mode = "enforce"
        max_per_hour = 0
        [response.protected]
        tokens = ["acme"]
    "#;
    assert_eq!(
        problems(text, &secrets()),
        [
            "alerting.public_url",
            "alerting.retry_delays[1]",
            "alerting.max_age",
            "alerting.receivers[1].name",
            "alerting.receivers[1].url",
            "alerting.receivers[1]",
            "alerting.receivers[2].url_env",
            "alerting.receivers[3].tls",
            "alerting.receivers[3].to",
            "alerting.receivers[3].from",
            "alerting.routes[0].receivers[0]",
            "alerting.routes[1].receivers",
            "alerting.response.max_per_hour",
            "alerting.response.target",
            "alerting.response.protected.tokens[0]",
        ]
    );
}

#[test]
fn inner_addresses_need_permission() {
    let hook = |url: &str, more: &str| {
        format!(
            "[[receivers]]\nkind = \"webhook\"\nname = \"log\"\nurl = \"{url}\"\nsecret_env = [\"HOOK_SECRET\"]\n{more}"
        )
    };
    for url in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "http://hook.example.com/",
        "ftp://hook.example.com/",
        "https://user:word@hook.example.com/",
    ] {
        assert_eq!(
            problems(&hook(url, ""), &secrets()),
            ["alerting.receivers[0].url"],
            "{url}"
        );
    }
    let allowed = hook("http://127.0.0.1:8080/", "allow_private = true");
    assert!(problems(&allowed, &secrets()).is_empty());
    assert!(problems(&hook("https://hook.example.com/", ""), &secrets()).is_empty());
}

#[test]
fn several_signing_secrets_are_kept_in_order_and_bad_ones_told() {
    let text = r#"
        [[receivers]]
        kind = "webhook"
        name = "log"
        url = "https://hook.example.com/"
        secret_env = ["OLD", "BAD"]
        secret_file = ["NEW"]
    "#;
    let known = Secrets(HashMap::from([
        ("OLD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("NEW", "whsec_plJ3nmyCDGBKInavdOK15jslplJ3nmyCDGBKInav"),
        ("BAD", "whsec_c2hvcnQ="),
    ]));
    assert_eq!(
        problems(text, &known),
        ["alerting.receivers[0].secret_env[1]"]
    );
}

#[test]
fn no_secret_shows_in_debug() {
    let settings = settings(
        r#"
        [[receivers]]
        kind = "slack"
        name = "log"
        url_env = "SLACK_URL"
        [[receivers]]
        kind = "webhook"
        name = "hook"
        url_env = "SLACK_URL"
        secret_env = ["HOOK_SECRET"]
        [[receivers]]
        kind = "email"
        name = "mail"
        host = "mail.example.com"
        username = "tokenwatch"
        password_env = "PASSWORD"
        from = "Tokenwatch <tokenwatch@example.com>"
        to = ["ops@example.com"]
        "#,
    );
    let debug = format!("{settings:?}");
    for secret in ["verysecret", "MfKQ9r8G", "hunter2"] {
        assert!(!debug.contains(secret), "{secret} shows in {debug}");
    }
}

/// One of everything, with something wrong with it.
const WRONG: &str = r#"
        notices_to = ["log", "nobody"]
        takeover_after = "1s"
        [[receivers]]
        kind = "log"
        name = "log"
        [[receivers]]
        kind = "teams"
        name = "teams"
        [[receivers]]
        kind = "pagerduty"
        name = "pager"
        routing_key_env = "PASSWORD"
        [[receivers]]
        kind = "opsgenie"
        name = "opsgenie"
        url = "http://api.opsgenie.example/v2/alerts"
        [[receivers]]
        kind = "alertmanager"
        name = "am"
        url = "https://10.0.0.1:9093"
        [[receivers]]
        kind = "kafka"
        name = "lake"
        topic = "with space"
        options = { "sasl.password" = "hunter2hunter2" }
        [[receivers]]
        kind = "syslog"
        name = "siem"
        host = ""
        hostname = "two words"
        [[templates]]
        receivers = ["teams", "nobody"]
        title = "{{ title"
        [[templates]]
        receivers = ["nobody"]
        [[windows]]
        name = "w"
        zone = "Europe/Atlantis"
        from = "25:00"
        days = ["mon", "someday"]
        every_weeks = 2
        [[routes]]
        receivers = ["log"]
        active = ["w", "other"]
        group_wait = "13h"
        repeat = "1s"
        digest = { at = ["noon"] }
        escalate = [{ after = "1m", receivers = [] }]
        [[routes.routes]]
        receivers = ["nobody"]
    "#;

#[test]
fn every_new_receiver_names_what_is_wrong_with_it() {
    let mut found = problems(WRONG, &secrets());
    found.sort();
    assert_eq!(
        found,
        [
            "alerting.notices_to[1]",
            "alerting.receivers[1]",
            "alerting.receivers[2].routing_key",
            "alerting.receivers[3].api_key",
            "alerting.receivers[3].url",
            "alerting.receivers[4].url",
            "alerting.receivers[5].options",
            "alerting.receivers[5].options",
            "alerting.receivers[5].topic",
            "alerting.receivers[6].host",
            "alerting.receivers[6].hostname",
            "alerting.routes[0].active[0]",
            "alerting.routes[0].active[1]",
            "alerting.routes[0].digest.at[0]",
            "alerting.routes[0].escalate[0].receivers",
            "alerting.routes[0].group_wait",
            "alerting.routes[0].repeat",
            "alerting.routes[0].routes[0].receivers[0]",
            "alerting.takeover_after",
            "alerting.templates[0]",
            "alerting.templates[1].receivers[0]",
            "alerting.windows[0].days[1]",
            "alerting.windows[0].every_weeks",
            "alerting.windows[0].from",
            "alerting.windows[0].zone",
        ]
    );
}

#[test]
fn hosted_services_and_collectors_have_their_usual_places() {
    let settings = settings(
        r#"
        [[receivers]]
        kind = "pagerduty"
        name = "log"
        routing_key_env = "PAGERDUTY_KEY"
        [[receivers]]
        kind = "syslog"
        name = "siem"
        host = "syslog.example.com"
        "#,
    );
    assert!(
        settings
            .receivers
            .iter()
            .all(|receiver| receiver.send_closed)
    );
    let ChannelSettings::Syslog(syslog) = &settings.receivers[1].channel else {
        panic!("a syslog receiver");
    };
    assert_eq!(
        (syslog.port, syslog.transport),
        (6514, SyslogTransport::Tls)
    );
    let debug = format!("{settings:?}");
    assert!(!debug.contains("R0UT1NGKEY"), "{debug}");
}

#[test]
fn rules_ask_targets_for_what_they_can_do() {
    let text = r#"
        [response.target]
        name = "gateway"
        url = "https://gateway.example.com/"
        secret_env = ["HOOK_SECRET"]
        [[response.targets]]
        kind = "webhook"
        name = "gateway"
        url = "https://gateway.example.com/"
        secret_env = ["HOOK_SECRET"]
        undo = true
        [[response.rules]]
        action = "notify"
        hold = "1m"
        [[response.rules]]
        action = "suspend"
        lasts = "1h"
        targets = ["gateway", "nobody"]
        [[response.rules]]
        action = "revoke"
        lasts = "1h"
        targets = []
        [[response.rules]]
        action = "revoke"
        targets = ["gateway"]
        hold = "1s"
        [[response.rules]]
        targets = ["gateway"]
        hold = "1h"
        people = 2
        at_hold_end = "act"
        [[response.rules]]
        targets = ["gateway"]
        people = 2
        [response.links]
        receivers = ["nobody"]
        key_env = "PASSWORD"
    "#;
    assert_eq!(
        problems(text, &secrets()),
        [
            "alerting.response.targets[0].name",
            "alerting.response.rules[0].action",
            "alerting.response.rules[1].targets[0]",
            "alerting.response.rules[1].targets[1]",
            "alerting.response.rules[2].lasts",
            "alerting.response.rules[2].targets",
            "alerting.response.rules[3].hold",
            "alerting.response.rules[4].at_hold_end",
            "alerting.response.rules[5].people",
            "alerting.response.links",
            "alerting.response.links.receivers[0]",
            "alerting.response.links.key",
        ]
    );
}
