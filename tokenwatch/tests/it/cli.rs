//! Commands that need no service, as a user calls them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "sk_live_4f3c2b1a9d8e7f6a5b4c3d2e";

/// Runs `tokenwatch` with `args` in `folder`, with `input` on standard input.
fn tokenwatch(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokenwatch"))
        .args(args)
        .current_dir(folder)
        .env_remove("TOKENWATCH_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have closed it already.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn kong_line(second: u32, status: u16, path: &str) -> String {
    format!(
        r#"{{"request":{{"method":"GET","uri":"{path}","size":400,"headers":{{"host":"api.example.com","user-agent":"acme-sdk/2.1","apikey":"{KEY}"}}}},"response":{{"status":{status},"size":900}},"latencies":{{"request":12}},"client_ip":"192.0.2.10","started_at":{}}}
"#,
        1_795_329_600_000_u64 + u64::from(second) * 1_000
    )
}

#[test]
fn decode_writes_events_and_tells_what_it_could_not_read() {
    let folder = TempDir::new().unwrap();
    let input = format!(
        "{}not a line\n",
        kong_line(0, 200, "/v1/orders?apikey=sk_live_zzzzzzzzzzzzzzzzzzzzzzzz")
    );
    let output = tokenwatch(folder.path(), &["decode", "--format", "kong"], &input);
    assert!(output.status.success(), "{output:?}");
    let events = lines(&output);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["ts"], "2026-11-22T06:40:00.000Z");
    assert_eq!(events[0]["http"]["path"], "/v1/orders");
    assert_eq!(events[0]["outcome"], "ok");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("invalid_json"), "{stderr}");
    for text in [&String::from_utf8(output.stdout).unwrap(), &stderr] {
        assert!(!text.contains("sk_live_"), "{text}");
    }
}

#[test]
fn a_secrets_id_is_the_id_of_its_calls() {
    let folder = TempDir::new().unwrap();
    let decoded = tokenwatch(folder.path(), &["decode"], &kong_line(0, 200, "/"));
    let printed = tokenwatch(folder.path(), &["token", "id"], &format!("{KEY}\n"));
    assert!(printed.status.success(), "{printed:?}");
    let id = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(lines(&decoded)[0]["token"]["id"], id.trim());
    assert!(id.starts_with("tok_") && id.trim().len() == 30, "{id}");
}

#[test]
fn an_empty_secret_is_refused() {
    let folder = TempDir::new().unwrap();
    assert!(
        !tokenwatch(folder.path(), &["token", "id"], "\n")
            .status
            .success()
    );
}

#[test]
fn replay_finds_a_burst_of_failures_the_same_way_each_time() {
    let folder = TempDir::new().unwrap();
    let mut input = String::new();
    for second in 0..120 {
        input += &kong_line(
            second,
            if second < 10 { 200 } else { 403 },
            &format!("/v1/orders/{second}"),
        );
    }
    let args = ["replay", "--format", "kong"];
    let first = tokenwatch(folder.path(), &args, &input);
    assert!(first.status.success(), "{first:?}");
    let findings = lines(&first);
    assert!(
        findings
            .iter()
            .any(|finding| finding["detector"] == "failure_burst"),
        "{first:?}"
    );
    assert_eq!(
        tokenwatch(folder.path(), &args, &input).stdout,
        first.stdout
    );
}

#[test]
fn a_record_of_cloudtrail_that_comes_twice_counts_once() {
    let folder = TempDir::new().unwrap();
    let record = |id: &str| {
        format!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE","accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"ci"}},"eventTime":"2026-11-22T06:40:00Z","eventSource":"s3.amazonaws.com","eventName":"ListBuckets","sourceIPAddress":"203.0.113.7","eventID":"{id}"}}
"#
        )
    };
    std::fs::write(
        folder.path().join("one.json"),
        [record("e-1"), record("e-2"), record("e-1")].concat(),
    )
    .unwrap();
    std::fs::write(folder.path().join("two.json"), record("e-2")).unwrap();
    let replay = |horizon: &str| {
        let config = format!("[pipeline]\nredelivery_horizon = \"{horizon}\"\n");
        std::fs::write(folder.path().join("tokenwatch.toml"), config).unwrap();
        let args = [
            "replay",
            "--config",
            "tokenwatch.toml",
            "one.json",
            "two.json",
        ];
        let output = tokenwatch(folder.path(), &args, "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let once = replay("6h");
    assert!(once.contains("2 events of 1 tokens"), "{once}");
    assert!(once.contains("2 events there twice"), "{once}");
    let all = replay("0s");
    assert!(all.contains("4 events of 1 tokens"), "{all}");
    assert!(!all.contains("there twice"), "{all}");
}

#[test]
fn files_split_by_node_replay_like_one() {
    let folder = TempDir::new().unwrap();
    let line = |second: u32| {
        kong_line(
            second,
            if second < 10 { 200 } else { 403 },
            &format!("/v1/orders/{second}"),
        )
    };
    let write = |name: &str, seconds: &mut dyn Iterator<Item = u32>| {
        let text: String = seconds.map(line).collect();
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    write("all.log", &mut (0..120));
    write("even.log", &mut (0..120).step_by(2));
    write("odd.log", &mut (1..120).step_by(2));
    let one = tokenwatch(folder.path(), &["replay", "all.log"], "");
    let two = tokenwatch(folder.path(), &["replay", "even.log", "odd.log"], "");
    let ids = |output: &Output| -> Vec<String> {
        lines(output)
            .iter()
            .map(|finding| finding["id"].to_string())
            .collect()
    };
    assert!(!ids(&one).is_empty(), "{one:?}");
    assert_eq!(ids(&one), ids(&two));
}

#[test]
fn every_problem_of_a_configuration_is_told_with_its_line() {
    let folder = TempDir::new().unwrap();
    let text = "[pipeline]\ncheckpoint_interval = \"0s\"\n\n[dashboards]\nlisten = \"somewhere\"\n";
    std::fs::write(folder.path().join("t.toml"), text).unwrap();
    let output = tokenwatch(folder.path(), &["check-config", "t.toml"], "");
    assert_eq!(output.status.code(), Some(64));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("t.toml:2: pipeline.checkpoint_interval"),
        "{stderr}"
    );
    assert!(stderr.contains("t.toml:5: dashboards.listen"), "{stderr}");
    assert!(stderr.contains("2 problems"), "{stderr}");
}

#[test]
fn unknown_keys_and_wrong_types_are_told_with_their_line() {
    let folder = TempDir::new().unwrap();
    for (text, line, word) in [
        ("[pipeline]\nchekpoint = 1\n", 2, "chekpoint"),
        ("[log]\n\nlevel = 3\n", 3, "level"),
        ("[log\n", 1, ""),
    ] {
        std::fs::write(folder.path().join("t.toml"), text).unwrap();
        let output = tokenwatch(folder.path(), &["check-config", "t.toml"], "");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(
            stderr.contains(&format!("t.toml:{line}:")) && stderr.contains(word),
            "{stderr}"
        );
    }
}

#[test]
fn the_shipped_configurations_have_no_problems() {
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
    for file in ["tokenwatch.example.toml", "compose/tokenwatch.toml"] {
        let output = Command::new(env!("CARGO_BIN_EXE_tokenwatch"))
            .args(["check-config", &format!("{deploy}/{file}")])
            .env("CLICKHOUSE_PASSWORD", "not a real one")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn completions_know_the_commands() {
    let folder = TempDir::new().unwrap();
    let output = tokenwatch(folder.path(), &["completions", "bash"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("check-config") && text.contains("replay"));
}
