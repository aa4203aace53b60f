//! Days of Kong's access logs: a few thousand tokens with habits of their own, the busiest most of the calls, and a
//! burst of refused calls for the detectors to find.

use std::io::{self, Write};

use fastrand::Rng;

/// Tokens that call.
const TOKENS: usize = 3_000;
/// How long the lines last.
const DAYS: u64 = 5;
/// One call in so many fails.
const FAILURE_EVERY: usize = 200;
/// Calls of the stolen token, a second apart, in the last hour.
const REFUSED: usize = 300;

const AGENTS: [&str; 4] = [
    "acme-sdk/2.1",
    "python-requests/2.32.3",
    "okhttp/4.12.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36",
];
const ROUTES: [(&str, &str); 5] = [
    ("orders", "/v1/orders"),
    ("stock", "/v1/stock"),
    ("customers", "/v1/customers"),
    ("invoices", "/v1/invoices"),
    ("catalog", "/v1/catalog"),
];

/// How much of Kong's record a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Every field that Kong documents, about 1,700 bytes.
    Whole,
    /// Without tries, tags and upstream, about 1,000 bytes.
    Short,
}

/// One call.
struct Call {
    started_at: u64,
    token: usize,
    id: u128,
    status: u16,
    route: usize,
    item: u32,
    bytes_out: u32,
    latency_ms: u32,
}

/// Writes `count` lines in the order of their times, the last at `end_ms`.
pub(crate) fn write(
    out: &mut dyn Write,
    shape: Shape,
    count: usize,
    end_ms: u64,
    rng: &mut Rng,
) -> io::Result<()> {
    let span_ms = DAYS * 86_400_000;
    let burst = count.saturating_sub(REFUSED * 2);
    for index in 0..count {
        let is_refused = index >= burst && index % 2 == 0;
        let call = Call {
            started_at: end_ms - span_ms + span_ms * index as u64 / count as u64,
            token: if is_refused { 0 } else { token(rng) },
            id: rng.u128(..),
            status: match (is_refused, rng.usize(..FAILURE_EVERY)) {
                (true, _) => 401,
                (false, 0) => 404,
                (false, _) => 200,
            },
            route: rng.usize(..2),
            item: rng.u32(..100_000),
            bytes_out: rng.u32(200..20_000),
            latency_ms: rng.u32(2..250),
        };
        match shape {
            Shape::Whole => whole(out, &call)?,
            Shape::Short => short(out, &call)?,
        }
    }
    Ok(())
}

/// A tenth of the tokens make half of the calls.
fn token(rng: &mut Rng) -> usize {
    let some = if rng.bool() { TOKENS / 10 } else { TOKENS };
    rng.usize(..some)
}

impl Call {
    fn route(&self) -> (&'static str, &'static str) {
        ROUTES[(self.token + self.route) % ROUTES.len()]
    }

    fn agent(&self) -> &'static str {
        AGENTS[self.token % AGENTS.len()]
    }

    /// Two addresses per token, in networks all over the world.
    fn address(&self) -> String {
        let token = self.token;
        let network = 5 + token * 37 % 180;
        let host = 1 + self.item as usize % 2;
        format!("{network}.{}.{}.{host}", token / 12 % 250, token % 250)
    }
}

fn short(out: &mut dyn Write, call: &Call) -> io::Result<()> {
    let (route, path) = call.route();
    let (agent, address) = (call.agent(), call.address());
    let Call {
        started_at,
        token,
        id,
        status,
        item,
        bytes_out,
        latency_ms,
        ..
    } = call;
    let proxy_ms = latency_ms - 1;
    writeln!(
        out,
        r#"{{"request":{{"id":"{id:032x}","method":"GET","uri":"{path}/{item}","url":"https://api.example.com:8443{path}/{item}","querystring":{{}},"size":412,"headers":{{"host":"api.example.com","user-agent":"{agent}","apikey":"sk_live_4eC39HqLyjWDarjt{token:06}","accept":"application/json"}},"tls":{{"version":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","client_verify":"NONE"}}}},"response":{{"status":{status},"size":{bytes_out},"headers":{{"content-type":"application/json","x-kong-request-id":"{id:032x}"}}}},"latencies":{{"request":{latency_ms},"kong":1,"proxy":{proxy_ms},"receive":0}},"route":{{"id":"0f1a4101-3327-4274-b1e4-484a4ab0c030","name":"{route}"}},"service":{{"id":"fb4eecf8-dec2-40ef-b779-16de7e2384c7","name":"shop","host":"shop.internal","port":8080}},"client_ip":"{address}","started_at":{started_at},"workspace_name":"default","authenticated_entity":{{"id":"5cbc6a9e-6f44-4f3b-9d0f-{token:012}","consumer_id":"8a388226-80e8-4027-a486-{token:012}"}},"consumer":{{"id":"8a388226-80e8-4027-a486-{token:012}","username":"team-{token}"}}}}"#
    )
}

fn whole(out: &mut dyn Write, call: &Call) -> io::Result<()> {
    let (route, path) = call.route();
    let (agent, address) = (call.agent(), call.address());
    let Call {
        started_at,
        token,
        id,
        status,
        item,
        bytes_out,
        latency_ms,
        ..
    } = call;
    let proxy_ms = latency_ms - 1;
    writeln!(
        out,
        r#"{{"request":{{"uri":"{path}/{item}?limit=10","url":"https://api.example.com:8443{path}/{item}?limit=10","querystring":{{"limit":"10"}},"method":"GET","headers":{{"host":"api.example.com","user-agent":"{agent}","authorization":"REDACTED","apikey":"sk_live_4eC39HqLyjWDarjt{token:06}","x-forwarded-for":"{address}"}},"size":412,"id":"{id:032x}","tls":{{"version":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","client_verify":"NONE"}}}},"upstream_uri":"{path}/{item}?limit=10","response":{{"status":{status},"size":{bytes_out},"headers":{{"content-type":"application/json","x-kong-upstream-latency":"{proxy_ms}","x-kong-proxy-latency":"1","x-kong-request-id":"{id:032x}"}}}},"tries":[{{"balancer_start":{started_at},"balancer_start_ns":1.7637936001231e+18,"ip":"10.0.3.7","balancer_latency":0,"port":8080,"balancer_latency_ns":27904}}],"latencies":{{"kong":1,"proxy":{proxy_ms},"request":{latency_ms},"receive":1}},"authenticated_entity":{{"id":"5cbc6a9e-6f44-4f3b-9d0f-{token:012}","consumer_id":"8a388226-80e8-4027-a486-{token:012}"}},"consumer":{{"id":"8a388226-80e8-4027-a486-{token:012}","username":"team-{token}","custom_id":"cust-{token}","created_at":1726782477,"updated_at":1726782477,"tags":["gold"]}},"route":{{"id":"0f1a4101-3327-4274-b1e4-484a4ab0c030","name":"{route}","paths":["{path}"],"protocols":["http","https"],"service":{{"id":"fb4eecf8-dec2-40ef-b779-16de7e2384c7"}},"ws_id":"f381e34e-5c25-4e65-b91b-3c0a86cfc393"}},"service":{{"id":"fb4eecf8-dec2-40ef-b779-16de7e2384c7","name":"orders-svc","host":"orders.internal","port":8080,"protocol":"http"}},"workspace":"f381e34e-5c25-4e65-b91b-3c0a86cfc393","workspace_name":"default","client_ip":"{address}","started_at":{started_at},"source":"upstream","upstream_status":"{status}"}}"#
    )
}
