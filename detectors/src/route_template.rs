//! The endpoint of a call: its method and its route template, found by the engine where the gateway gives none.
//!
//! A gateway's own template (`/v1/orders/{id}`) is taken as it is. Names of routes, prefixes and catch-alls are coarser
//! than the path, so the path decides: segments that name one object become `{id}` by their shape ([`segment`]), or
//! because a position has taken very many words ([`words`]). Calls without a path (cloud APIs: `iam.amazonaws.com/CreateUser`)
//! are named by their route. Nothing is allocated but the text of a finding. Misses ids in queries, which the logs' path
//! does not have, and slugs until their position is learned.

mod segment;
mod words;

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use tokenwatch_model::Http;

use segment::{Reading, classify_segment};
pub(crate) use words::RouteWords;

/// Longest percent-encoded segment that is decoded; longer ones are ids.
const DECODED_BYTES: usize = 64;
/// What follows one of these words numbers pages, not objects.
const PAGE_WORDS: [&[u8]; 6] = [b"page", b"pages", b"offset", b"skip", b"p", b"cursor"];

/// What a call called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Of the method and the template.
    pub(crate) hash: u64,
    /// The last object that the path names.
    pub(crate) object: Option<Object>,
}

/// An object that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// Of the template before the id: what sort of object.
    pub(crate) slot: u64,
    /// Of the id.
    pub(crate) hash: u64,
    /// The number that the id is or ends in.
    pub(crate) number: Option<u64>,
}

/// The endpoint of a call at hour number `hour`; `None` if the log names neither path nor route.
pub(crate) fn endpoint_of(http: &Http<'_>, words: &RouteWords, hour: i64) -> Option<Endpoint> {
    let method = http.method.as_deref().unwrap_or("");
    let path = http.path.as_deref();
    let route = http.route.as_deref();
    if let Some(template) = route.filter(|route| is_template(route)) {
        return Some(Endpoint {
            hash: sealed(hash_words(template.as_bytes()), method),
            object: path.and_then(|path| object_by_template(template, path)),
        });
    }
    let Some(path) = path else {
        return route.map(|route| Endpoint {
            hash: sealed(hash_words(route.as_bytes()), method),
            object: None,
        });
    };
    let mut object = None;
    let hash = walk(path, words, hour, |piece| {
        if let Piece::Id(found) = piece {
            object = Some(found);
        }
    });
    Some(Endpoint {
        hash: sealed(hash, method),
        object,
    })
}

/// The endpoint in words, for findings: `GET /v1/orders/{id}`.
pub(crate) fn text_of(http: &Http<'_>, words: &RouteWords, hour: i64) -> String {
    let mut text = String::new();
    if let Some(method) = http.method.as_deref() {
        text.push_str(crate::samples::shortened(method));
        text.push(' ');
    }
    let route = http.route.as_deref();
    match (
        route.filter(|route| is_template(route)),
        http.path.as_deref(),
    ) {
        (None, Some(path)) => {
            let start = text.len();
            walk(path, words, hour, |piece| {
                text.push('/');
                match piece {
                    Piece::Word { word, .. } => text.push_str(&String::from_utf8_lossy(word)),
                    Piece::Id(_) => text.push_str("{id}"),
                }
            });
            if text.len() == start {
                text.push('/');
            }
        }
        _ => text.push_str(route.unwrap_or("?")),
    }
    text.truncate(crate::samples::shortened(&text).len());
    text
}

/// Lets `words` learn the words of the path of a call that succeeded. Only worth it for a token's first use of an
/// endpoint: known ones have no new words.
pub(crate) fn learn(http: &Http<'_>, words: &mut RouteWords, hour: i64) {
    let route = http.route.as_deref();
    if route.is_some_and(is_template) {
        return;
    }
    let Some(path) = http.path.as_deref() else {
        return;
    };
    let mut noted = [(0, 0); 8];
    let mut count = 0;
    walk(path, words, hour, |piece| {
        if let Piece::Word { prefix, word } = piece
            && let Some(free) = noted.get_mut(count)
        {
            *free = (prefix, hash_words(word));
            count += 1;
        }
    });
    for (prefix, word) in &noted[..count] {
        words.note(*prefix, *word, hour);
    }
}

/// A segment of a path, as it is understood.
enum Piece<'a> {
    /// A literal part of the template; `prefix` is the hash of the template before it.
    Word { prefix: u64, word: &'a [u8] },
    /// An object's name.
    Id(Object),
}

/// Reads `path` segment by segment; the hash of its template.
fn walk(path: &str, words: &RouteWords, hour: i64, mut take: impl FnMut(Piece<'_>)) -> u64 {
    let mut template = hasher();
    let mut buffer = [0; DECODED_BYTES];
    let mut first = true;
    let mut numbers_pages = false;
    for raw in path.as_bytes().split(|byte| *byte == b'/') {
        // Matrix parameters (`;v=1`) are arguments, not the path.
        let raw = raw.split(|byte| *byte == b';').next().unwrap_or(raw);
        if raw.is_empty() || raw == b"." {
            continue;
        }
        let (segment, reading) = match decoded(raw, &mut buffer) {
            Some(segment) => (segment, classify_segment(segment, first)),
            None => (
                raw,
                Reading::Id {
                    number: None,
                    verb: None,
                },
            ),
        };
        first = false;
        template.write_u8(b'/');
        let prefix = template.finish();
        let reading = match reading {
            Reading::Word if words.is_id(prefix, hour) => Reading::Id {
                number: None,
                verb: None,
            },
            reading => reading,
        };
        match reading {
            Reading::Word => {
                take(Piece::Word {
                    prefix,
                    word: segment,
                });
                template.write(segment);
            }
            Reading::Id { number, verb } => {
                template.write_u8(b'{');
                template.write(verb.unwrap_or(b""));
                take(Piece::Id(Object {
                    slot: prefix,
                    hash: hash_words(segment) ^ prefix,
                    number: number.filter(|_| !numbers_pages),
                }));
            }
        }
        numbers_pages = PAGE_WORDS.contains(&segment);
    }
    template.finish()
}

/// `raw` without percent-encoding; `None` if it is too long to be a word anyway.
fn decoded<'a>(raw: &'a [u8], buffer: &'a mut [u8; DECODED_BYTES]) -> Option<&'a [u8]> {
    if !raw.contains(&b'%') {
        return Some(raw);
    }
    let mut length = 0;
    for byte in percent_encoding::percent_decode(raw) {
        *buffer.get_mut(length)? = byte;
        length += 1;
    }
    Some(&buffer[..length])
}

/// Whether a gateway's route is a template: a path with named parts, of which none stands for the rest of the path.
fn is_template(route: &str) -> bool {
    route.starts_with('/')
        && route.contains(['{', '<', ':'])
        && !route.contains(['*', '(', '^', '$'])
        && !route.contains("+}")
}

/// The object that stands in `path` where the last parameter of `template` does, counted from the end: gateways cut base
/// paths off.
fn object_by_template(template: &str, path: &str) -> Option<Object> {
    let meant = |part: &&str| !part.is_empty();
    let is_parameter = |part: &str| part.starts_with(['{', '<', ':']);
    let behind = template.rsplit('/').filter(meant).position(is_parameter)?;
    let id = path.rsplit('/').filter(meant).nth(behind)?;
    let id = id.split(';').next()?;
    let before = template
        .rsplit('/')
        .filter(meant)
        .nth(behind + 1)
        .unwrap_or("");
    let number = match classify_segment(id.as_bytes(), false) {
        Reading::Id { number, .. } => number,
        Reading::Word => None,
    };
    let end = template.rfind(['{', '<', ':']).unwrap_or(0);
    let slot = hash_words(&template.as_bytes()[..end]);
    Some(Object {
        slot,
        hash: hash_words(id.as_bytes()) ^ slot,
        number: number.filter(|_| !PAGE_WORDS.contains(&before.as_bytes())),
    })
}

/// The part of a path or route that privileges are told by: without its query and matrix parameters.
pub(crate) fn words_of(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    path.split('/')
        .map(|segment| segment.split(';').next().unwrap_or(segment))
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy())
}

fn hasher() -> impl Hasher {
    foldhash::quality::FixedState::default().build_hasher()
}

fn hash_words(bytes: &[u8]) -> u64 {
    let mut hasher = hasher();
    hasher.write(bytes);
    hasher.finish()
}

fn sealed(template: u64, method: &str) -> u64 {
    let mut hasher = hasher();
    hasher.write_u64(template);
    hasher.write(method.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(method: &'static str, path: Option<&str>, route: Option<&str>) -> Http<'static> {
        Http {
            method: Some(method.into()),
            path: path.map(|path| path.to_owned().into()),
            route: route.map(|route| route.to_owned().into()),
            ..Http::default()
        }
    }

    fn endpoint(http: &Http<'_>) -> Endpoint {
        endpoint_of(http, &RouteWords::default(), 0).expect("a path")
    }

    fn check(path: &str, template: &str) {
        let call = http("GET", Some(path), None);
        let text = text_of(&call, &RouteWords::default(), 0);
        assert_eq!(text, format!("GET {template}"), "{path}");
    }

    #[test]
    fn ids_are_found_in_paths_that_no_gateway_explains() {
        check("/", "/");
        check("/v1/orders/17", "/v1/orders/{id}");
        check("//v1/./orders/17/", "/v1/orders/{id}");
        check(
            "/v1/orders/17/items/3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "/v1/orders/{id}/items/{id}",
        );
        check("/v1/orders;v=2/17;jsessionid=1", "/v1/orders/{id}");
        check("/v1/us%65rs/al%40example.com", "/v1/users/{id}");
        check("/v1/orders/[redacted]/items", "/v1/orders/{id}/items");
        check(
            "/2015-03-31/functions/send-mail/invocations",
            "/2015-03-31/functions/send-mail/invocations",
        );
        check("/v1/reports/2026-11-22", "/v1/reports/{id}");
        check(
            "/repos/acme/api/commits/9fceb02d0ae598e95dc970b74767f19372d61af8",
            "/repos/acme/api/commits/{id}",
        );
    }

    #[test]
    fn calls_of_one_endpoint_agree_whatever_their_ids() {
        let call = |path| endpoint(&http("GET", Some(path), None));
        assert_eq!(call("/v1/orders/17").hash, call("/v1/orders/99;x=1").hash);
        assert_ne!(call("/v1/orders/17").hash, call("/v1/orders").hash);
        assert_ne!(
            call("/v1/orders/17").hash,
            endpoint(&http("DELETE", Some("/v1/orders/17"), None)).hash
        );
        assert_ne!(call("/v1/jobs/17:cancel").hash, call("/v1/jobs/17").hash);
        assert_eq!(
            call("/v1/jobs/17:cancel").hash,
            call("/v1/jobs/18:cancel").hash
        );
    }

    #[test]
    fn objects_have_numbers_and_a_slot_that_does_not_depend_on_what_follows() {
        let object = |path| {
            endpoint(&http("GET", Some(path), None))
                .object
                .expect("an id")
        };
        let (order, items) = (object("/v1/orders/17"), object("/v1/orders/18/items"));
        assert_eq!((order.number, items.number), (Some(17), Some(18)));
        assert_eq!(order.slot, items.slot);
        assert_ne!(order.hash, items.hash);
        assert_eq!(object("/v1/orders/ORD-000123").number, Some(123));
        assert_eq!(
            object("/v1/orders/page/3").number,
            None,
            "pages are not objects"
        );
        assert_eq!(
            object("/v1/reports/2026-11-22").number,
            None,
            "nor are days"
        );
    }

    #[test]
    fn a_template_of_the_gateway_is_believed_and_a_catch_all_is_not() {
        let by_template = http("GET", Some("/api/users/alice"), Some("/users/{name}"));
        let other = http("GET", Some("/api/users/bob"), Some("/users/{name}"));
        assert_eq!(endpoint(&by_template).hash, endpoint(&other).hash);
        assert_ne!(endpoint(&by_template).object, endpoint(&other).object);
        for route in [
            "/users/{proxy+}",
            "/{*rest}",
            "users-service",
            "/users",
            "~/users/(?<id>.*)$",
        ] {
            let call = http("GET", Some("/users/17"), Some(route));
            assert_eq!(
                endpoint(&call).hash,
                endpoint(&http("GET", Some("/users/17"), None)).hash,
                "{route}"
            );
        }
    }

    #[test]
    fn actions_without_a_path_are_endpoints_as_they_are() {
        let call = |route| http("POST", None, Some(route));
        let (create, delete) = (
            call("iam.amazonaws.com/CreateUser"),
            call("iam.amazonaws.com/DeleteUser"),
        );
        assert_ne!(endpoint(&create).hash, endpoint(&delete).hash);
        assert_eq!(
            text_of(&create, &RouteWords::default(), 0),
            "POST iam.amazonaws.com/CreateUser"
        );
        assert_eq!(
            endpoint_of(&Http::default(), &RouteWords::default(), 0),
            None
        );
    }

    #[test]
    fn a_position_that_took_very_many_words_is_an_id_two_hours_later() {
        let mut words = RouteWords::default();
        for number in 0..400u32 {
            // Words by their shape: letters only, with vowels.
            let letter = |place: u32| char::from(b'a' + (number / 26u32.pow(place) % 26) as u8);
            let path = format!("/users/ane{}a{}/profile", letter(0), letter(1));
            learn(&http("GET", Some(&path), None), &mut words, 100);
        }
        words.seal(101);
        let text = |hour| {
            text_of(
                &http("GET", Some("/users/alice/profile"), None),
                &words,
                hour,
            )
        };
        assert_eq!(text(101), "GET /users/alice/profile");
        assert_eq!(text(102), "GET /users/{id}/profile");
        let other = http("GET", Some("/teams/alice/profile"), None);
        assert_eq!(text_of(&other, &words, 102), "GET /teams/alice/profile");
    }
}
