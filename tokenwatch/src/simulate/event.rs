//! From a call to what the gateway logs of it, and to the access event that the decoder makes of that line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use tokenwatch_ingest::Geo;
use tokenwatch_model::{
    AccessEvent, Client, ConnectionTls, EventFlags, Format, Http, Origin, Outcome, TokenId,
    TokenKind, TokenUse,
};

use super::api::{ROUTES, write_path};
use super::calendar::timestamp;
use super::call::{Call, Cause, Holder};
use super::dice::hash;
use super::world::World;
use crate::log_line::{HOST, LoggedCall};

/// Names of the gateway's nodes.
const NODES: [&str; super::call::NODES as usize] = ["edge-1", "edge-2", "edge-3", "edge-4"];
/// Where the events claim to be read.
const TOPIC: &str = "simulated";

/// Calls with the texts that their lines and events are made of.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    texts: String,
    spans: Vec<Spans>,
}

#[derive(Debug)]
struct Spans {
    path: Range<usize>,
    request_id: Range<usize>,
    key: Range<usize>,
    id: TokenId,
}

impl Rendered {
    /// Writes the texts of `calls`, in place of those that were there.
    pub(super) fn fill(&mut self, world: &World, calls: &[Call]) {
        self.texts.clear();
        self.spans.clear();
        for call in calls {
            let path = self.append(|texts| write_path(texts, call.route, call.object));
            let request_id = self.append(|texts| {
                let rest = hash([call.request, 7, 0, 0]);
                // Writing to a text does not fail.
                write!(texts, "{:016x}{rest:016x}", call.request).unwrap_or_default();
            });
            let (key, id) = match call.holder {
                Holder::Token(token) => (0..0, world.members[token as usize].id),
                Holder::Unknown(number) => {
                    let key = self.append(|texts| {
                        let digits = [hash([number, 8, 0, 0]), hash([number, 9, 0, 0])];
                        write!(texts, "sk_live_{:016x}{:016x}", digits[0], digits[1])
                            .unwrap_or_default();
                    });
                    let id = world.key.token_id(self.texts[key.clone()].as_bytes());
                    (key, id)
                }
            };
            self.spans.push(Spans {
                path,
                request_id,
                key,
                id,
            });
        }
    }

    fn append(&mut self, write: impl FnOnce(&mut String)) -> Range<usize> {
        let start = self.texts.len();
        write(&mut self.texts);
        start..self.texts.len()
    }

    /// What the gateway logs of the `index`th call; without the attack, if it is one that swells the owner's answers.
    pub(super) fn logged<'r>(
        &'r self,
        world: &'r World,
        index: usize,
        call: &Call,
        with_attacks: bool,
    ) -> LoggedCall<'r> {
        let spans = &self.spans[index];
        let member = match call.holder {
            Holder::Token(token) => Some(&world.members[token as usize]),
            Holder::Unknown(_) => None,
        };
        let bytes_out = match call.cause {
            Cause::Swollen { bytes_out, .. } if !with_attacks => bytes_out,
            _ => call.bytes_out,
        };
        LoggedCall {
            at: timestamp(call.at),
            request_id: &self.texts[spans.request_id.clone()],
            address: call.address,
            user_agent: &world.agents[call.agent.index()],
            ja4: Some(call.agent.ja4()),
            key: member.map_or(&self.texts[spans.key.clone()], |member| &member.key),
            credential_id: member.map(|member| member.credential_id.as_str()),
            consumer: member.map(|member| member.consumer.as_str()),
            method: call.method(),
            path: &self.texts[spans.path.clone()],
            route: ROUTES
                .get(usize::from(call.route))
                .map(|route| route.template),
            status: call.status,
            bytes_in: call.bytes_in.into(),
            bytes_out: bytes_out.into(),
            latency_ms: call.latency_ms.into(),
            node: Some(NODES[usize::from(call.node)]),
        }
    }

    /// The access event that the decoder makes of the `index`th call's line.
    pub(super) fn event<'r>(
        &'r self,
        world: &'r World,
        geo: &'r Geo,
        index: usize,
        call: &Call,
        with_attacks: bool,
    ) -> AccessEvent<'r> {
        let format = world.options.format;
        let logged = self.logged(world, index, call, with_attacks);
        let place = geo.place(logged.address.into());
        AccessEvent {
            ts: tokenwatch_model::Timestamp::from_millis(logged.at.as_millis()),
            format,
            request_id: Some(logged.request_id.into()),
            token: Some(token_use(world, self.spans[index].id, &logged)),
            client: Client {
                ip: Some(logged.address.into()),
                country: place.country,
                city: place.city.map(Cow::Borrowed),
                latitude: place.latitude,
                longitude: place.longitude,
                asn: place.asn,
                as_org: place.as_org.map(Cow::Borrowed),
                user_agent: Some(logged.user_agent.into()),
                ja4: logged
                    .ja4
                    .filter(|_| format == Format::Envoy)
                    .map(Cow::Borrowed),
            },
            http: Http {
                method: Some(logged.method.into()),
                host: Some(HOST.into()),
                path: Some(logged.path.into()),
                route: logged.route.map(Cow::Borrowed),
                status: Some(logged.status),
                bytes_in: Some(logged.bytes_in),
                bytes_out: Some(logged.bytes_out),
                latency_ms: Some(logged.latency_ms as f64),
            },
            tls: Some(ConnectionTls {
                version: Some("1.3".into()),
            }),
            outcome: Outcome::of_status(Some(logged.status)),
            flags: EventFlags::default(),
            origin: Origin {
                gateway: logged
                    .node
                    .filter(|_| format == Format::Nginx)
                    .map(Cow::Borrowed),
                topic: Some(TOPIC.into()),
                partition: Some(0),
                offset: Some(0),
                index: 0,
            },
        }
    }
}

/// The token as each format names it: Kong by the credential's id, nginx and Envoy by the raw key.
fn token_use<'r>(world: &World, id: TokenId, logged: &LoggedCall<'r>) -> TokenUse<'r> {
    let format = world.options.format;
    let is_kong = format == Format::Kong;
    let credential_id = logged.credential_id.filter(|_| is_kong);
    TokenUse {
        id,
        kind: TokenKind::ApiKey,
        credential_id: credential_id.map(Cow::Borrowed),
        instance: None,
        consumer: logged
            .consumer
            .filter(|_| format != Format::Envoy)
            .map(Cow::Borrowed),
        scopes: Vec::new(),
        fingerprint: credential_id.map(|_| world.key.token_id(logged.key.as_bytes())),
        issued_at: None,
        expires_at: None,
        jwt: None,
    }
}
