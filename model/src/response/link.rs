//! Signed links by which people approve or veto a response without logging in: for one response, one verb and one time.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;

use super::OrderVerb;
use crate::Timestamp;

/// What signs links, and says whether a link was signed.
#[derive(Clone)]
pub struct ResponseLinkKey(SecretSlice<u8>);

impl ResponseLinkKey {
    /// A key of these bytes; they should be 32 at least.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec().into())
    }

    /// The path and query of the link that says `verb` of the response until `expires`.
    pub fn path(&self, response_id: &str, verb: OrderVerb, expires: Timestamp) -> String {
        let expires = expires.as_secs();
        let signature = self.mac(response_id, verb, expires).finalize().into_bytes();
        let signature = HEXLOWER_PERMISSIVE.encode(&signature);
        let verb = verb.name();
        format!("respond/{response_id}/{verb}?expires={expires}&signature={signature}")
    }

    /// Whether a link is ours and has not expired.
    pub fn allows(
        &self,
        response_id: &str,
        verb: OrderVerb,
        expires_secs: i64,
        signature: &str,
        now: Timestamp,
    ) -> bool {
        let Ok(signature) = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()) else {
            return false;
        };
        let mac = self.mac(response_id, verb, expires_secs);
        mac.verify_slice(&signature).is_ok() && now.as_secs() < expires_secs
    }

    fn mac(&self, response_id: &str, verb: OrderVerb, expires_secs: i64) -> Hmac<Sha256> {
        let mut mac =
            Hmac::new_from_slice(self.0.expose_secret()).expect("HMAC takes keys of any length");
        let message = format!("respond\n{response_id}\n{}\n{expires_secs}", verb.name());
        mac.update(message.as_bytes());
        mac
    }
}

impl fmt::Debug for ResponseLinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseLinkKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "rsp_0123456789abcdef0123456789abcdef";

    fn parts(path: &str) -> (i64, String) {
        let query = path.split_once('?').expect("a query").1;
        let (expires, signature) = query.split_once('&').expect("two parameters");
        let expires = expires.strip_prefix("expires=").expect("expires");
        let signature = signature.strip_prefix("signature=").expect("signature");
        (expires.parse().expect("seconds"), signature.to_owned())
    }

    #[test]
    fn a_link_is_good_for_its_response_its_verb_and_its_time_alone() {
        let key = ResponseLinkKey::new(b"0123456789abcdef0123456789abcdef");
        let other = ResponseLinkKey::new(b"another key of thirty-two bytes!");
        let end = Timestamp::from_secs(1_000);
        let (expires, signature) = parts(&key.path(ID, OrderVerb::Veto, end));
        let now = Timestamp::from_secs(999);
        let check = |key: &ResponseLinkKey, id, verb, expires, now| {
            key.allows(id, verb, expires, &signature, now)
        };
        assert!(check(&key, ID, OrderVerb::Veto, expires, now));
        assert!(!check(&key, ID, OrderVerb::Approve, expires, now));
        assert!(!check(&key, "rsp_other", OrderVerb::Veto, expires, now));
        assert!(!check(&key, ID, OrderVerb::Veto, expires + 1, now));
        assert!(!check(&key, ID, OrderVerb::Veto, expires, end));
        assert!(!check(&other, ID, OrderVerb::Veto, expires, now));
        assert!(!key.allows(ID, OrderVerb::Veto, expires, "zz", now));
        assert!(!key.allows(ID, OrderVerb::Veto, expires, "", now));
    }
}
