//! Names of claims that should not be in an access token: it is logged, cached and handed on by every hop.
//!
//! Only names are looked at, never values. A name counts by its last part (`https://example.com/claims/email`), in either
//! case, without dashes and underscores.

use tokenwatch_model::JwtFact;

/// The longest of the names below, without separators.
const NAME_MAX_BYTES: usize = 20;
const SECRETS: [&str; 15] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "clientsecret",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
    "creditcard",
    "creditcardnumber",
    "cardnumber",
    "cvv",
    "pin",
];
const PERSONAL: [&str; 17] = [
    "email",
    "emailaddress",
    "mail",
    "phone",
    "phonenumber",
    "mobile",
    "mobilephone",
    "ssn",
    "socialsecuritynumber",
    "nationalid",
    "taxid",
    "passportnumber",
    "birthdate",
    "dateofbirth",
    "dob",
    "iban",
    "streetaddress",
];

/// What a claim of this name is, if it is anything.
pub(super) fn classify(name: &str) -> Option<JwtFact> {
    let name = name.rsplit(['/', ':', '.']).next().unwrap_or_default();
    let mut folded = [0; NAME_MAX_BYTES];
    let mut length = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'-' | b'_')) {
        *folded.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let is = |known: &&str| known.as_bytes() == &folded[..length];
    if SECRETS.iter().any(&is) {
        Some(JwtFact::SecretClaims)
    } else if PERSONAL.iter().any(is) {
        Some(JwtFact::PersonalClaims)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_whatever_their_spelling() {
        for (name, want) in [
            ("email", Some(JwtFact::PersonalClaims)),
            ("phone_number", Some(JwtFact::PersonalClaims)),
            (
                "https://example.com/claims/E-Mail",
                Some(JwtFact::PersonalClaims),
            ),
            ("urn:example:SSN", Some(JwtFact::PersonalClaims)),
            ("client_secret", Some(JwtFact::SecretClaims)),
            ("userPassword", None),
            ("Password", Some(JwtFact::SecretClaims)),
            ("email_verified", None),
            ("sub", None),
            ("", None),
            ("a_claim_whose_name_is_longer_than_any", None),
        ] {
            assert_eq!(classify(name), want, "{name}");
        }
        let longest = SECRETS.iter().chain(&PERSONAL).map(|name| name.len()).max();
        assert_eq!(longest, Some(NAME_MAX_BYTES));
    }
}
