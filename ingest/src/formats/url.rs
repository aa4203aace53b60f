//! The host of a whole URL, for the formats that log no host apart from it.

use tokenwatch_model::Text;

/// `api.example.com:443` of `https://user@api.example.com:443/v1`.
pub(super) fn host_of<'a>(url: &Text<'a>) -> Option<Text<'a>> {
    match url {
        Text::Borrowed(url) => host(url).map(Text::Borrowed),
        Text::Owned(url) => host(url).map(|host| Text::Owned(host.to_owned())),
    }
}

fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_url_has_a_host() {
        for (url, expected) in [
            (
                "https://api.example.com:443/v1",
                Some("api.example.com:443"),
            ),
            ("https://api.example.com?x=/", Some("api.example.com")),
            (
                "https://user:pass@api.example.com/",
                Some("api.example.com"),
            ),
            ("/v1/https://other/", None),
            ("https:///v1", None),
            ("api.example.com", None),
        ] {
            assert_eq!(host_of(&url.into()).as_deref(), expected, "{url}");
            assert_eq!(
                host_of(&url.to_owned().into()).as_deref(),
                expected,
                "{url}"
            );
        }
    }
}
