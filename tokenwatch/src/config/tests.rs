//! The example configuration shows every key with its default, and what it shows switched off works too.

use super::*;

const EXAMPLE: &str = include_str!("../../../deploy/tokenwatch.example.toml");
/// A key on P-256.
const SSF_KEY: &str = include_str!("../../../alerting/src/testing/ssf_key.pem");
/// Lines of the example that are switched off begin so.
const SWITCHED_OFF: &str = "#> ";

/// Knows every secret.
struct AllSecrets;

impl SecretSource for AllSecrets {
    fn env(&self, name: &str) -> Option<SecretString> {
        // These have a length of their own.
        if name.ends_with("ROUTING_KEY") {
            return Some(SecretString::from("0123456789abcdef0123456789abcdef"));
        }
        if name.ends_with("SSF_KEY") {
            return Some(SecretString::from(SSF_KEY));
        }
        // Serves as a password, an API key, a signing secret and a URL alike.
        Some(SecretString::from(
            "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ))
    }

    fn file(&self, _: &str) -> Result<SecretString, String> {
        Ok(SecretString::from(
            "https://hooks.example.com/services/secret",
        ))
    }
}

fn table_of(config: &Config) -> toml::Table {
    toml::to_string(config).unwrap().parse().unwrap()
}

/// Every key path of `table`.
fn keys(table: &toml::Table, path: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{path}.{key}");
        if let toml::Value::Table(table) = value {
            keys(table, &path, found);
        }
        found.push(path);
    }
}

#[test]
fn the_defaults_are_valid() {
    assert!(Config::default().validate(&NoSecrets).is_ok());
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    let defaults = table_of(&Config::default());
    assert_eq!(table_of(&read(EXAMPLE).unwrap()), defaults);
    let (mut shown, mut known) = (Vec::new(), Vec::new());
    keys(&EXAMPLE.parse().unwrap(), "", &mut shown);
    keys(&defaults, "", &mut known);
    known.retain(|key| !shown.contains(key));
    assert!(known.is_empty(), "the example lacks {known:?}");
}

#[test]
fn what_the_example_shows_switched_off_is_valid_too() {
    let mut on: Vec<&str> = Vec::new();
    for line in EXAMPLE.lines() {
        let Some(line) = line.strip_prefix(SWITCHED_OFF) else {
            on.push(line);
            continue;
        };
        // It takes the place of the same key that is empty, or of the empty list that the tables stand for.
        let key = line.split([' ', '=']).next().unwrap();
        let list = line
            .strip_prefix("[[")
            .map(|name| name.trim_end_matches(']'));
        let list = list.and_then(|name| name.rsplit('.').next()).unwrap_or(key);
        let empty = [format!("{list} = []"), format!("{list} = \"\"")];
        on.retain(|other| {
            !list.is_empty() && empty.iter().all(|empty| empty != other) || line.is_empty()
        });
        on.push(line);
    }
    assert!(on.len() > 100);
    if let Err(error) = parse("example", &on.join("\n"), &AllSecrets) {
        panic!("{error}\n{}", on.join("\n"));
    }
}
