//! Outgoing HTTP for every channel: no redirects, TLS verified, no proxy, bounded answers, no inner addresses.
//!
//! Addresses are checked after the name was resolved, in the resolver that the connection uses, so that a name
//! cannot change between check and use. A URL that is an address never reaches the resolver and is checked before.

mod addresses;
mod signed;

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use tokenwatch_model::Timestamp;
use url::{Host, Url};

pub(crate) use addresses::is_public;
pub(crate) use signed::SignedEndpoint;

/// The whole request, connection included. Standard Webhooks advises 15 to 30 s.
const TIMEOUT: Duration = Duration::from_secs(15);
/// As much of an answer as is read; nothing in it but Slack's one word matters.
const ANSWER_BYTES_LIMIT: usize = 4 * 1024;
/// The largest answer of an API: a gateway's or identity provider's object has some KB.
const REPLY_BYTES_LIMIT: usize = 256 * 1024;

/// Posts to receivers.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client,
    allow_private: bool,
}

/// What a receiver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status.
    pub status: u16,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// A request to somebody's API.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
}

/// What an API answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// Why there was no answer. Never holds the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nothing came in time.
    Timeout,
    /// No connection: refused, unreachable, name unknown.
    Connect,
    /// The other side could not prove who it is, or TLS failed otherwise.
    Tls,
    /// The name has only addresses that are not public.
    BlockedAddress,
    /// The connection broke.
    Broken,
}

/// Resolves names to public addresses alone.
struct PublicResolver;

/// The name has only addresses that are not public.
#[derive(Debug)]
struct Blocked;

impl HttpClient {
    pub(crate) fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let builder = Client::builder()
            .user_agent(concat!("tokenwatch/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1);
        let builder = if allow_private {
            builder
        } else {
            builder.dns_resolver(PublicResolver)
        };
        Ok(Self {
            client: builder.build()?,
            allow_private,
        })
    }

    /// Posts `body`; `now` reads a Retry-After that is a date.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Answer, NoAnswer> {
        if !self.allow_private && !host_may_be_public(url) {
            return Err(NoAnswer::BlockedAddress);
        }
        let request = self.client.post(url.clone()).headers(headers).body(body);
        let response = request.send().await.map_err(|error| classify(&error))?;
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers(), now),
        };
        // The status is the answer; what follows is read so that the connection can be used again.
        discard(response).await;
        Ok(answer)
    }
}

impl HttpClient {
    /// Any request, with as much of its answer as an API's objects take.
    pub(crate) async fn send(&self, call: Call, now: Timestamp) -> Result<Reply, NoAnswer> {
        if !self.allow_private && !host_may_be_public(&call.url) {
            return Err(NoAnswer::BlockedAddress);
        }
        let mut request = self
            .client
            .request(call.method, call.url)
            .headers(call.headers);
        if let Some(body) = call.body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| classify(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), now);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if body.len() + chunk.len() > REPLY_BYTES_LIMIT {
                return Err(NoAnswer::Broken);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status,
            retry_after,
            body,
        })
    }
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(Blocked.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name has no public address")
    }
}

impl Error for Blocked {}

impl NoAnswer {
    /// The name in the ledger.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "no_connection",
            Self::Tls => "tls",
            Self::BlockedAddress => "blocked_address",
            Self::Broken => "connection_broken",
        }
    }
}

fn host_may_be_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_public(ip.into()),
        Some(Host::Ipv6(ip)) => is_public(ip.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    }
}

fn classify(error: &reqwest::Error) -> NoAnswer {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<Blocked>() {
            return NoAnswer::BlockedAddress;
        }
        if inner.is::<native_tls::Error>() {
            return NoAnswer::Tls;
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        NoAnswer::Timeout
    } else if error.is_connect() {
        NoAnswer::Connect
    } else {
        NoAnswer::Broken
    }
}

/// Seconds or a date, as RFC 9110 allows; a date that has passed is no wait.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_micros(date.timestamp().as_microsecond()).since(now))
}

async fn discard(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > ANSWER_BYTES_LIMIT {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().expect("a header value"));
        // 1994-11-06T08:49:37Z, the example of RFC 9110.
        retry_after(&headers, Timestamp::from_secs(784_111_777))
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        assert_eq!(waits("120"), Some(Duration::from_mins(2)));
        assert_eq!(
            waits("Sun, 06 Nov 1994 08:50:07 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(waits("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(waits("soon"), None);
    }
}
