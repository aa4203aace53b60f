//! Access events that borrow nothing, for those that outlive the record they were decoded from.

use std::borrow::Cow;

use crate::{AccessEvent, Client, ConnectionTls, Http, Origin, Text, TokenUse};

impl AccessEvent<'_> {
    /// The same event, with texts of its own.
    pub fn into_owned(self) -> AccessEvent<'static> {
        AccessEvent {
            ts: self.ts,
            format: self.format,
            request_id: own(self.request_id),
            token: self.token.map(TokenUse::into_owned),
            client: Client {
                ip: self.client.ip,
                country: self.client.country,
                city: own(self.client.city),
                latitude: self.client.latitude,
                longitude: self.client.longitude,
                asn: self.client.asn,
                as_org: own(self.client.as_org),
                user_agent: own(self.client.user_agent),
                ja4: own(self.client.ja4),
            },
            http: Http {
                method: own(self.http.method),
                host: own(self.http.host),
                path: own(self.http.path),
                route: own(self.http.route),
                status: self.http.status,
                bytes_in: self.http.bytes_in,
                bytes_out: self.http.bytes_out,
                latency_ms: self.http.latency_ms,
            },
            tls: self.tls.map(|tls| ConnectionTls {
                version: own(tls.version),
            }),
            outcome: self.outcome,
            flags: self.flags,
            origin: Origin {
                gateway: own(self.origin.gateway),
                topic: own(self.origin.topic),
                partition: self.origin.partition,
                offset: self.origin.offset,
                index: self.origin.index,
            },
        }
    }
}

impl TokenUse<'_> {
    /// The same use, with texts of its own.
    pub fn into_owned(self) -> TokenUse<'static> {
        TokenUse {
            id: self.id,
            kind: self.kind,
            credential_id: own(self.credential_id),
            instance: own(self.instance),
            consumer: own(self.consumer),
            scopes: self
                .scopes
                .into_iter()
                .map(|scope| Cow::Owned(scope.into_owned()))
                .collect(),
            fingerprint: self.fingerprint,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            jwt: self.jwt,
        }
    }
}

fn own(text: Option<Text<'_>>) -> Option<Text<'static>> {
    text.map(|text| Cow::Owned(text.into_owned()))
}
