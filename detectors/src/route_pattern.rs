//! Path patterns of policies: `/v1/orders/{id}`, `/v1/orders/{*rest}`, or the name of a gateway's route.
//!
//! All patterns of a rule are tried, so that a narrow one never hides a wider one. `{name}` is one segment; `{*rest}` is
//! whatever follows, nothing included, so that `/v1/orders/{*rest}` covers `/v1/orders` too. Empty segments do not count
//! (`//` is `/`). Paths are decoded before they are compared, and one with `..` in it matches nothing: gateways disagree
//! on what it means, so no rule should allow it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoutePattern {
    /// The exact name of a gateway's route.
    Name(Box<str>),
    /// A path, segment by segment.
    Path {
        segments: Box<[Segment]>,
        open: bool,
    },
}

/// One segment of a path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(Box<str>),
    Any,
}

impl RoutePattern {
    /// Compiles `text`, or says what is wrong with it.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a pattern must not be empty".to_owned());
        }
        let Some(path) = text.strip_prefix('/') else {
            return Ok(Self::Name(text.into()));
        };
        let mut segments = Vec::new();
        let mut open = false;
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            if open {
                return Err(format!("nothing may follow {{*…}} in {text:?}"));
            }
            let inner = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            match inner {
                Some(name) if name.starts_with('*') => open = true,
                Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                    segments.push(Segment::Any);
                }
                None if !segment.contains(['{', '}']) => {
                    segments.push(Segment::Literal(segment.into()));
                }
                _ => {
                    return Err(format!(
                        "{segment:?} is neither text, {{name}} nor {{*rest}}"
                    ));
                }
            }
        }
        Ok(Self::Path {
            segments: segments.into(),
            open,
        })
    }

    /// Whether a call to `path` by the gateway's `route` is covered.
    pub(crate) fn matches(&self, path: Option<&CalledPath<'_>>, route: Option<&str>) -> bool {
        match self {
            Self::Name(name) => route == Some(name),
            Self::Path { segments, open } => path.is_some_and(|path| path.matches(segments, *open)),
        }
    }
}

/// The path of a call, decoded once for all patterns.
pub(crate) struct CalledPath<'a> {
    decoded: Cow<'a, str>,
    climbs: bool,
}

impl<'a> CalledPath<'a> {
    /// Decodes `path`.
    pub(crate) fn new(path: &'a str) -> Self {
        let decoded = if path.contains('%') {
            percent_decode_str(path).decode_utf8_lossy()
        } else {
            Cow::Borrowed(path)
        };
        let climbs = decoded.contains("..") && decoded.split('/').any(|segment| segment == "..");
        Self { decoded, climbs }
    }

    /// How many segments it has that count.
    pub(crate) fn segment_count(&self) -> usize {
        self.segments().count()
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        let meant = |segment: &&str| !segment.is_empty() && *segment != ".";
        self.decoded.split('/').filter(meant)
    }

    fn matches(&self, pattern: &[Segment], open: bool) -> bool {
        if self.climbs {
            return false;
        }
        let mut called = self.segments();
        for segment in pattern {
            let Some(got) = called.next() else {
                return false;
            };
            if matches!(segment, Segment::Literal(want) if **want != *got) {
                return false;
            }
        }
        open || called.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, want: bool) {
        let compiled = RoutePattern::compile(pattern).expect(pattern);
        assert_eq!(
            compiled.matches(Some(&CalledPath::new(path)), None),
            want,
            "{pattern} on {path}"
        );
    }

    #[test]
    fn patterns_cover_what_they_say() {
        check("/v1/orders", "/v1/orders", true);
        check("/v1/orders", "/v1/orders/", true);
        check("/v1/orders", "/v1/orders/17", false);
        check("/v1/orders/{id}", "/v1/orders/17", true);
        check("/v1/orders/{id}", "/v1/orders", false);
        check("/v1/orders/{id}", "/v1/orders/17/items", false);
        check("/v1/orders/{*rest}", "/v1/orders", true);
        check("/v1/orders/{*rest}", "/v1/orders/17/items", true);
        check("/v1/orders/{*rest}", "/v1/ordersx", false);
        check("/{version}/admin/{*rest}", "/v2/admin/users", true);
    }

    #[test]
    fn disguised_paths_are_seen_through() {
        check("/admin/{*rest}", "/%61dmin/users", true);
        check("/admin/{*rest}", "//admin//users", true);
        check("/admin/{*rest}", "/./admin/users", true);
        check("/v1/orders/{*rest}", "/v1/orders/../admin", false);
        check("/v1/orders/{*rest}", "/v1/orders/%2e%2e/admin", false);
    }

    #[test]
    fn names_match_the_gateways_route_only() {
        let pattern = RoutePattern::compile("orders-read").expect("a name");
        assert!(pattern.matches(None, Some("orders-read")));
        assert!(!pattern.matches(Some(&CalledPath::new("/orders-read")), None));
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["", "/v1/{id", "/v1/{}", "/v1/{*rest}/x", "/v1/a{id}"] {
            assert!(RoutePattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
