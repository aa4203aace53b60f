//! The keys of JWT issuers (JWKS, RFC 7517), of which the decoder needs only the names: read at start, and again when a file
//! changes. One that cannot be read later on changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokenwatch_ingest::{DecoderSettings, JwtConfig, JwtKeyIds};
use tokenwatch_model::{Problem, Problems};
use tokio::time::MissedTickBehavior;

use crate::watched_file::Look;

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
            Ok(ids) => issuer.file_key_ids = ids,
            Err(message) => problems.add(
                format!("issuers[{index}].keys_file"),
                format!("{}: {message}", issuer.keys_file),
            ),
        }
    }
    problems.into_result(|| ())
}

/// The file of one issuer, and what it looked like when it was last read.
struct KeysFile {
    path: PathBuf,
    ids: JwtKeyIds,
    seen: Option<Look>,
}

/// Reads the files of `settings` again whenever they change; ends at once if there are none.
pub(crate) async fn follow(settings: DecoderSettings) {
    let mut files: Vec<KeysFile> = settings.key_files().map(KeysFile::new).collect();
    if files.is_empty() {
        return;
    }
    let mut ticks = ticks(settings.key_files_reload_every());
    loop {
        ticks.tick().await;
        tokio::task::block_in_place(|| {
            for file in &mut files {
                file.read_if_new();
            }
        });
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl KeysFile {
    fn new((path, ids): (&str, &JwtKeyIds)) -> Self {
        Self {
            path: PathBuf::from(path),
            ids: ids.clone(),
            seen: None,
        }
    }

    /// Takes over what the file says if it was written anew.
    fn read_if_new(&mut self) {
        // What cannot be looked at cannot be read either, which says why.
        let look = Look::of(&self.path).ok();
        if look.is_some() && look == self.seen {
            return;
        }
        let path = self.path.display().to_string();
        match key_ids(&path) {
            Ok(ids) => {
                let is_first = self.seen.is_none();
                tracing::debug!(jwks.file = %path, jwks.keys = ids.len(), jwks.first = is_first, "keys of a JWT issuer read");
                self.ids.replace_file(ids);
            }
            Err(reason) => tracing::error!(
                jwks.file = %path,
                jwks.reason = %reason,
                "the keys of a JWT issuer cannot be read; what the file said before goes on"
            ),
        }
        self.seen = look;
    }
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
    use tokenwatch_ingest::{Decoder, Geo, IngestMetrics, JwtIssuerConfig, RawRecord, TokenKey};
    use tokenwatch_model::{JwtFact, StreamId};

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
                file_key_ids: Vec::new(),
            }],
            ..JwtConfig::default()
        };
        let result = take_in(&mut config);
        (result, config.issuers.remove(0).file_key_ids)
    }

    #[test]
    fn names_of_keys_are_read_from_the_file() {
        let text = r#"{"keys":[{"kty":"RSA","kid":"k1","n":"x","e":"AQAB"},{"kty":"EC"}]}"#;
        let (result, ids) = config(text);
        assert!(result.is_ok());
        assert_eq!(ids, ["k1"]);
    }

    #[test]
    fn a_file_without_keys_is_a_problem() {
        for text in ["", "[]", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"EC"}]}"#] {
            let problems = config(text).0.expect_err(text);
            assert_eq!(problems[0].path, "ingest.decoder.jwt.issuers[0].keys_file");
        }
    }

    /// Decodes a call with a token that names the key `id`; whether that is a weakness.
    fn is_unknown(decoder: &Decoder, id: &str) -> bool {
        let part = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        let token = format!(
            "{}.{}.c2ln",
            part(&format!(r#"{{"alg":"RS256","kid":"{id}"}}"#)),
            part(r#"{"iss":"https://id.example","sub":"svc","exp":4000000000}"#),
        );
        let line = format!(
            r#"{{"time_iso8601":"2026-11-22T06:40:00Z","remote_addr":"203.0.113.7","status":"200","http_authorization":"Bearer {token}"}}"#
        );
        let stream = StreamId {
            topic: "t".to_owned(),
            partition: 0,
        };
        let record = RawRecord {
            stream: &stream,
            offset: 0,
            appended_at: None,
            bytes: line.as_bytes(),
        };
        let (mut events, mut rejects) = (Vec::new(), Vec::new());
        decoder.decode(record, &mut events, &mut rejects);
        let jwt = events[0].token.as_ref().and_then(|token| token.jwt);
        jwt.is_some_and(|jwt| jwt.facts.contains(JwtFact::UnknownKey))
    }

    #[test]
    fn a_running_decoder_learns_of_new_keys_and_keeps_the_old_if_the_file_breaks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwks.json");
        let write = |text: &str| std::fs::write(&path, text).expect("a file");
        write(r#"{"keys":[{"kid":"k1"}]}"#);
        let text = format!(
            "[[ingest.decoder.jwt.issuers]]\nissuer = \"https://id.example\"\nkeys_file = {:?}\n",
            path.display().to_string()
        );
        let settings = crate::config::parse("test.toml", &text, &crate::secrets::SystemSecrets)
            .expect("a configuration")
            .ingest
            .decoder;
        let mut file = settings.key_files().map(KeysFile::new).next().expect("one");
        let decoder = Decoder::new(
            settings.clone(),
            TokenKey::from_bytes(&[7; 32]),
            Geo::off(),
            IngestMetrics::default(),
        );
        let unknown = |id| is_unknown(&decoder, id);
        assert_eq!((unknown("k1"), unknown("k22")), (false, true));
        write(r#"{"keys":[{"kid":"k22"}]}"#);
        file.read_if_new();
        assert_eq!((unknown("k1"), unknown("k22")), (true, false));
        write("{");
        file.read_if_new();
        assert_eq!((unknown("k1"), unknown("k22")), (true, false));
    }
}
