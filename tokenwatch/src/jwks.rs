//! The keys of JWT issuers (JWKS, RFC 7517), of which the decoder needs only the names.

use serde::Deserialize;
use tokenwatch_ingest::JwtConfig;
use tokenwatch_model::{Problem, Problems};

/// A set of keys; what else it holds is not looked at.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: Option<String>,
}

/// Adds the names of the keys in the files that the configuration names.
pub(crate) fn take_in(config: &mut JwtConfig) -> Result<(), Vec<Problem>> {
    let mut problems = Problems::at("ingest.decoder.jwt");
    for (index, issuer) in config.issuers.iter_mut().enumerate() {
        if issuer.keys_file.is_empty() {
            continue;
        }
        match key_ids(&issuer.keys_file) {
            Ok(ids) => issuer.key_ids.extend(ids),
            Err(message) => problems.add(
                format!("issuers[{index}].keys_file"),
                format!("{}: {message}", issuer.keys_file),
            ),
        }
    }
    problems.into_result(|| ())
}

fn key_ids(path: &str) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let set: KeySet = serde_json::from_str(&text)
        .map_err(|error| format!("is no set of keys (JWKS): {error}"))?;
    let ids: Vec<String> = set.keys.into_iter().filter_map(|key| key.kid).collect();
    if ids.is_empty() {
        return Err("holds no key with a kid".to_owned());
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use tokenwatch_ingest::JwtIssuerConfig;

    use super::*;

    fn config(text: &str) -> (Result<(), Vec<Problem>>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, text).expect("a file");
        let mut config = JwtConfig {
            issuers: vec![JwtIssuerConfig {
                issuer: "https://id.example".to_owned(),
                algorithms: Vec::new(),
                audiences: Vec::new(),
                keys_file: path.display().to_string(),
                key_ids: vec!["k0".to_owned()],
            }],
            ..JwtConfig::default()
        };
        let result = take_in(&mut config);
        (result, config.issuers.remove(0).key_ids)
    }

    #[test]
    fn names_of_keys_are_added_to_those_in_the_configuration() {
        let text = r#"{"keys":[{"kty":"RSA","kid":"k1","n":"x","e":"AQAB"},{"kty":"EC"}]}"#;
        let (result, ids) = config(text);
        assert!(result.is_ok());
        assert_eq!(ids, ["k0", "k1"]);
    }

    #[test]
    fn a_file_without_keys_is_a_problem() {
        for text in ["", "[]", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"EC"}]}"#] {
            let problems = config(text).0.expect_err(text);
            assert_eq!(problems[0].path, "ingest.decoder.jwt.issuers[0].keys_file");
        }
    }
}
