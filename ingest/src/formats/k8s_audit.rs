//! Kubernetes' audit log (`audit.k8s.io/v1`): the log of an API server, or the lists that its webhook sends.
//!
//! Fields from the type `Event` of k8s.io/apiserver and the page "Auditing". Traps: one request has an event for each stage,
//! and only the last one is the call; all but the last of `sourceIPs` come from headers that a client writes itself; a
//! watch lasts for minutes; the path of a route is not logged but follows from `objectRef`; `impersonatedUser` is whom
//! the caller pretends to be, not who he is.

use serde::de::MapAccess;
use tokenwatch_model::{Text, Timestamp, TokenKind};

use crate::call::Call;
use crate::json::{self, Fields, Object, Scalar};
use crate::time;

/// What a webhook's list has its events in.
pub(crate) const ENVELOPES: [&str; 1] = ["items"];
/// What a service account's name begins with.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
/// Who calls without a credential.
const ANONYMOUS: &str = "system:anonymous";

/// One event.
#[derive(Default)]
pub(crate) struct K8sAudit<'a> {
    call: Call<'a>,
    stage: Option<Text<'a>>,
    user: User<'a>,
    object: ObjectRef<'a>,
    received: Option<Timestamp>,
    finished: Option<Timestamp>,
}

#[derive(Default)]
struct User<'a> {
    name: Option<Text<'a>>,
    credential: Option<Text<'a>>,
}

#[derive(Default)]
struct ObjectRef<'a> {
    group: Option<Text<'a>>,
    version: Option<Text<'a>>,
    resource: Option<Text<'a>>,
    subresource: Option<Text<'a>>,
    has_namespace: bool,
    has_name: bool,
}

impl<'a> From<K8sAudit<'a>> for Call<'a> {
    fn from(event: K8sAudit<'a>) -> Self {
        let K8sAudit {
            mut call,
            stage,
            user,
            object,
            received,
            finished,
        } = event;
        match stage.as_deref() {
            Some("ResponseComplete") => {}
            Some("Panic") => call.status = call.status.or(Some(500)),
            _ => call.is_unsupported = true,
        }
        call.latency_ms = received
            .zip(finished)
            .map(|(received, finished)| (finished.as_micros() - received.as_micros()) as f64 / 1e3)
            .filter(|latency| *latency >= 0.0);
        call.route = object.template().map(Text::from);
        user.tell(&mut call);
        call
    }
}

impl<'de> Fields<'de> for K8sAudit<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let call = &mut self.call;
        match key {
            "auditID" => call.request_id = json::text(map)?,
            "stage" => self.stage = json::text(map)?,
            "verb" => call.method = json::text(map)?.map(method),
            "requestURI" => call.target = json::text(map)?,
            "userAgent" => call.user_agent = json::text(map)?,
            "sourceIPs" => (call.forwarded_for, call.peer) = hops(json::text(map)?),
            "user" => map.next_value_seed(Object(&mut self.user))?,
            "objectRef" => map.next_value_seed(Object(&mut self.object))?,
            "responseStatus" => map.next_value_seed(Object(&mut ResponseStatus(call)))?,
            "requestReceivedTimestamp" => {
                let value = map.next_value::<Scalar<'_>>()?;
                self.received = time::read(&value);
                call.time.set(&value);
            }
            "stageTimestamp" => self.finished = time::read(&map.next_value()?),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for User<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "username" => self.name = json::text(map)?,
            "extra" => map.next_value_seed(Object(&mut Extra(self)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// What authenticators add: here the id of a service account's token or of a certificate.
struct Extra<'u, 'a>(&'u mut User<'a>);

impl<'de> Fields<'de> for Extra<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "authentication.kubernetes.io/credential-id" {
            return json::skip(map);
        }
        self.0.credential = json::text(map)?;
        Ok(())
    }
}

struct ResponseStatus<'c, 'a>(&'c mut Call<'a>);

impl<'de> Fields<'de> for ResponseStatus<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "code" {
            return json::skip(map);
        }
        self.0.status = map.next_value::<Scalar<'_>>()?.as_unsigned();
        Ok(())
    }
}

impl<'de> Fields<'de> for ObjectRef<'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "apiGroup" => self.group = json::text(map)?,
            "apiVersion" => self.version = json::text(map)?,
            "resource" => self.resource = json::text(map)?,
            "subresource" => self.subresource = json::text(map)?,
            "namespace" => self.has_namespace = json::text(map)?.is_some(),
            "name" => self.has_name = json::text(map)?.is_some(),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl<'a> User<'a> {
    /// A service account is the grant behind its tokens; anyone else is known by name only.
    fn tell(self, call: &mut Call<'a>) {
        let Some(name) = self.name.filter(|name| name != ANONYMOUS) else {
            return;
        };
        let credentials = &mut call.credentials;
        if name.starts_with(SERVICE_ACCOUNT) {
            credentials.kind = Some(TokenKind::Jwt);
            credentials.credential_id = Some(name.clone());
        }
        credentials.grant.instance = self.credential;
        credentials.consumer = Some(name);
    }
}

impl ObjectRef<'_> {
    /// `/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale`, as the API reference writes it.
    fn template(&self) -> Option<String> {
        let resource = self.resource.as_deref()?;
        let version = self.version.as_deref().unwrap_or("v1");
        let mut path = match &self.group {
            Some(group) => format!("/apis/{group}/{version}"),
            None => format!("/api/{version}"),
        };
        // A namespace lies in itself.
        if self.has_namespace && resource != "namespaces" {
            path += "/namespaces/{namespace}";
        }
        path += "/";
        path += resource;
        if self.has_name {
            path += "/{name}";
        }
        if let Some(subresource) = &self.subresource {
            path += "/";
            path += subresource;
        }
        Some(path)
    }
}

/// The method of a request with this verb; requests outside the resources have the method itself.
fn method(verb: Text<'_>) -> Text<'_> {
    Text::Borrowed(match &*verb {
        "get" | "list" | "watch" => "GET",
        "create" => "POST",
        "update" => "PUT",
        "patch" => "PATCH",
        "delete" | "deletecollection" => "DELETE",
        _ => return verb,
    })
}

/// What was forwarded, and the peer.
fn hops(addresses: Option<Text<'_>>) -> (Option<Text<'_>>, Option<Text<'_>>) {
    let Some(addresses) = addresses else {
        return (None, None);
    };
    match addresses.rsplit_once(", ") {
        Some((forwarded, peer)) => {
            let (forwarded, peer) = (forwarded.to_owned(), peer.to_owned());
            (Some(forwarded.into()), Some(peer.into()))
        }
        None => (None, Some(addresses)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        group: Option<&'static str>,
        resource: &'static str,
        subresource: Option<&'static str>,
        expected: &str,
    ) {
        let object = ObjectRef {
            group: group.map(Text::from),
            version: Some("v1".into()),
            resource: Some(resource.into()),
            subresource: subresource.map(Text::from),
            has_namespace: true,
            has_name: true,
        };
        assert_eq!(object.template().as_deref(), Some(expected));
    }

    #[test]
    fn a_route_is_the_path_that_the_api_reference_writes() {
        check(
            None,
            "pods",
            Some("exec"),
            "/api/v1/namespaces/{namespace}/pods/{name}/exec",
        );
        check(
            Some("apps"),
            "deployments",
            None,
            "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
        );
        check(None, "namespaces", None, "/api/v1/namespaces/{name}");
        assert_eq!(ObjectRef::default().template(), None);
    }

    #[test]
    fn only_the_last_address_is_the_peer() {
        assert_eq!(
            hops(Some("1.1.1.1, 203.0.113.7".into())),
            (Some("1.1.1.1".into()), Some("203.0.113.7".into()))
        );
        assert_eq!(
            hops(Some("203.0.113.7".into())),
            (None, Some("203.0.113.7".into()))
        );
        assert_eq!(hops(None), (None, None));
    }
}
