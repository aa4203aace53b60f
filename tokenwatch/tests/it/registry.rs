//! The inventory file, as `check-config` and `replay` read it; and scopes that nobody uses.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::stored::{Deployment, call, lines};

fn tokenwatch(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tokenwatch"))
        .args(args)
        .current_dir(folder)
        .env_remove("TOKENWATCH_CONFIG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A call of the credential `5cbc01` that Kong names itself, from `ip`.
fn kong_line(second: u64, ip: &str, status: u16) -> String {
    kong_line_of("5cbc01", second, ip, status)
}

fn kong_line_of(credential: &str, second: u64, ip: &str, status: u16) -> String {
    format!(
        r#"{{"request":{{"method":"GET","uri":"/v1/orders","headers":{{"user-agent":"acme-sdk/2.1"}}}},"response":{{"status":{status},"size":900}},"authenticated_entity":{{"id":"{credential}"}},"consumer":{{"username":"acme"}},"client_ip":"{ip}","started_at":{}}}
"#,
        1_795_329_600_000_u64 + second * 1_000
    )
}

#[test]
fn problems_of_the_inventory_are_told_with_its_line() {
    let folder = TempDir::new().unwrap();
    let config = "[registry]\nfile = \"tokens.csv\"\n";
    fs::write(folder.path().join("tokenwatch.toml"), config).unwrap();
    let check = || tokenwatch(folder.path(), &["check-config", "tokenwatch.toml"]);
    let missing = check();
    assert_eq!(missing.status.code(), Some(64), "{missing:?}");
    assert!(
        text(&missing.stderr).starts_with("tokens.csv: "),
        "{missing:?}"
    );
    fs::write(
        folder.path().join("tokens.csv"),
        "token,owner,expires\n5cbc01,Ada,2026-12-31\n5cbc02,Bob,soon\n5cbc01,Eve,\n",
    )
    .unwrap();
    let wrong = check();
    assert_eq!(wrong.status.code(), Some(64), "{wrong:?}");
    let told: Vec<&str> = text(&wrong.stderr).lines().collect();
    assert!(
        told[0].starts_with("tokens.csv:3: expires: \"soon\""),
        "{told:?}"
    );
    assert_eq!(told[1], "tokens.csv:4: token: is there already, in line 2");
    fs::write(
        folder.path().join("tokens.csv"),
        "token,owner\n5cbc01,Ada\n",
    )
    .unwrap();
    assert!(check().status.success());
}

#[test]
fn replay_finds_what_the_inventory_rules_out_under_any_name_and_names_the_owner() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(
        path("tokenwatch.toml"),
        "[registry]\nfile = \"tokens.toml\"\n",
    )
    .unwrap();
    fs::write(
        path("tokens.toml"),
        "[[tokens]]\ntoken = \"5cbc01\"\ngateway = \"kong\"\naliases = [\"6dcd02\"]\nowner = \"Ada\"\nteam = \"orders\"\nallowed_networks = [\"192.0.2.0/24\"]\n\
         revoked = \"2026-11-22T06:45:00Z\"\n",
    )
    .unwrap();
    let lines = [
        kong_line(0, "192.0.2.10", 200),
        kong_line(5, "203.0.113.9", 200),
        kong_line(600, "192.0.2.10", 401),
        kong_line_of("6dcd02", 660, "192.0.2.10", 200),
    ];
    fs::write(path("access.json"), lines.concat()).unwrap();
    let args = [
        "replay",
        "--format",
        "kong",
        "--config",
        "tokenwatch.toml",
        "access.json",
    ];
    let output = tokenwatch(folder.path(), &args);
    assert!(output.status.success(), "{output:?}");
    let findings: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = findings
        .iter()
        .map(|finding| {
            let (detector, token) = (&finding["detector"], &finding["token"]);
            assert_eq!(token["credential_id"], "5cbc01", "{finding}");
            (
                detector.as_str().unwrap(),
                token["owner"].as_str(),
                token["team"].as_str(),
            )
        })
        .collect();
    let ada = |detector| (detector, Some("Ada"), Some("orders"));
    assert_eq!(told, [ada("ip_not_allowed"), ada("revoked_token_use")]);
}

#[test]
fn scopes_that_no_stored_call_needed_are_told() {
    const DOCUMENT: &str = "\
openapi: 3.0.3
components: {securitySchemes: {login: {type: oauth2, flows: {}}}}
paths:
  /v1/orders/{id}:
    get: {security: [{login: ['orders:read']}]}
    delete: {security: [{login: ['orders:write']}]}
";
    let granted = |event: &mut tokenwatch_model::AccessEvent<'static>| {
        let token = event.token.as_mut().unwrap();
        token.scopes = vec![
            "orders:read".into(),
            "orders:write".into(),
            "profile".into(),
        ];
    };
    let mut events: Vec<_> = (0..5)
        .map(|n| call(1, n * 60, "/v1/orders/17", 200))
        .collect();
    events.iter_mut().for_each(granted);
    events.push(call(2, 30, "/v1/orders/17", 200));
    let Some(deployment) = Deployment::with(events, "") else {
        return;
    };
    fs::write(deployment.path().join("orders.yaml"), DOCUMENT).unwrap();
    let detectors = "[[detectors.out_of_scope.openapi]]\nfile = \"orders.yaml\"\n";
    deployment.reconfigure("scopes.toml", detectors);
    let range = [
        "--from",
        "2026-11-01T00:00:00Z",
        "--to",
        "2026-12-01T00:00:00Z",
    ];
    let scopes = |more: &[&str]| {
        let args = [
            &["token", "scopes", "--config", "scopes.toml"],
            &range[..],
            more,
        ]
        .concat();
        deployment.tokenwatch(&args)
    };
    let told = lines(&scopes(&["--json"]));
    assert_eq!(told.len(), 1, "a token without scopes has none to lose");
    assert_eq!(told[0]["credential_id"], "key-1");
    assert_eq!(told[0]["used"], serde_json::json!(["orders:read"]));
    assert_eq!(told[0]["unused"], serde_json::json!(["orders:write"]));
    assert_eq!(told[0]["unknown"], serde_json::json!(["profile"]));
    assert_eq!(
        (&told[0]["calls"], &told[0]["calls_judged"]),
        (&5.into(), &5.into())
    );
    let output = scopes(&["--token", "key-1"]);
    assert!(
        text(&output.stdout).contains("\n  unused: orders:write\n"),
        "{output:?}"
    );
}
