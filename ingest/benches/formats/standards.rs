//! Yardsticks for standards and Kubernetes: every field of the line that is measured, typed and owned, as a plain `serde_json` parse
//! gives it.

#![expect(dead_code, reason = "parsed, not read: that is the yardstick")]

pub(crate) mod otlp {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Record {
        resource_logs: Vec<ResourceLog>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ResourceLog {
        resource: Resource,
        scope_logs: Vec<ScopeLog>,
    }

    #[derive(Deserialize)]
    struct Resource {
        attributes: Vec<Attribute>,
    }

    #[derive(Deserialize)]
    struct Attribute {
        key: String,
        value: Value,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Value {
        string_value: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ScopeLog {
        scope: Scope,
        log_records: Vec<LogRecord>,
    }

    #[derive(Deserialize)]
    struct Scope {
        name: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LogRecord {
        time_unix_nano: String,
        observed_time_unix_nano: String,
        severity_text: String,
        trace_id: String,
        span_id: String,
        body: Body,
        attributes: Vec<LogAttribute>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        string_value: Option<String>,
    }

    #[derive(Deserialize)]
    struct LogAttribute {
        key: String,
        value: LogValue,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LogValue {
        string_value: Option<String>,
        int_value: Option<String>,
    }
}

pub(crate) mod ecs {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Record {
        #[serde(rename = "@timestamp")]
        timestamp: String,
        ecs: Ecs,
        event: Event,
        http: Http,
        url: Url,
        source: Source,
        client: Client,
        user: User,
        #[serde(rename = "user_agent")]
        user_agent: UserAgent,
        tls: Tls,
        trace: Trace,
    }

    #[derive(Deserialize)]
    struct Ecs {
        version: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Event {
        kind: String,
        category: Vec<String>,
        #[serde(rename = "type")]
        at_kind: Vec<String>,
        outcome: String,
        duration: u64,
    }

    #[derive(Deserialize)]
    struct Http {
        request: Request,
        response: Response,
        version: String,
    }

    #[derive(Deserialize)]
    struct Request {
        id: String,
        method: String,
        bytes: u64,
    }

    #[derive(Deserialize)]
    struct Response {
        status_code: u64,
        bytes: u64,
    }

    #[derive(Deserialize)]
    struct Url {
        path: String,
        query: String,
        original: String,
        domain: String,
    }

    #[derive(Deserialize)]
    struct Source {
        ip: String,
        port: u64,
    }

    #[derive(Deserialize)]
    struct Client {
        ip: String,
    }

    #[derive(Deserialize)]
    struct User {
        id: String,
    }

    #[derive(Deserialize)]
    struct UserAgent {
        original: String,
    }

    #[derive(Deserialize)]
    struct Tls {
        version: String,
        version_protocol: String,
        cipher: String,
        client: TlsClient,
    }

    #[derive(Deserialize)]
    struct TlsClient {
        ja3: String,
    }

    #[derive(Deserialize)]
    struct Trace {
        id: String,
    }
}

pub(crate) mod ocsf {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        class_uid: u64,
        category_uid: u64,
        activity_id: u64,
        type_uid: u64,
        severity_id: u64,
        status_id: u64,
        status: String,
        time: u64,
        metadata: Metadata,
        actor: Actor,
        api: Api,
        src_endpoint: SrcEndpoint,
        http_request: HttpRequest,
        http_response: HttpResponse,
    }

    #[derive(Deserialize)]
    struct Metadata {
        version: String,
        uid: String,
        product: Product,
    }

    #[derive(Deserialize)]
    struct Product {
        name: String,
        vendor_name: String,
    }

    #[derive(Deserialize)]
    struct Actor {
        user: User,
    }

    #[derive(Deserialize)]
    struct User {
        uid: String,
        name: String,
        credential_uid: String,
    }

    #[derive(Deserialize)]
    struct Api {
        operation: String,
        service: Service,
        request: Request,
        response: Response,
    }

    #[derive(Deserialize)]
    struct Service {
        name: String,
    }

    #[derive(Deserialize)]
    struct Request {
        uid: String,
    }

    #[derive(Deserialize)]
    struct Response {
        code: u64,
        error: String,
    }

    #[derive(Deserialize)]
    struct SrcEndpoint {
        ip: String,
    }

    #[derive(Deserialize)]
    struct HttpRequest {
        http_method: String,
        url: Url,
        user_agent: String,
    }

    #[derive(Deserialize)]
    struct Url {
        path: String,
    }

    #[derive(Deserialize)]
    struct HttpResponse {
        code: u64,
    }
}

pub(crate) mod k8s_audit {
    use std::collections::HashMap;

    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Record {
        kind: String,
        api_version: String,
        level: String,
        #[serde(rename = "auditID")]
        audit_id: String,
        stage: String,
        #[serde(rename = "requestURI")]
        request_uri: String,
        verb: String,
        user: User,
        source_i_ps: Vec<String>,
        user_agent: String,
        object_ref: ObjectRef,
        response_status: ResponseStatus,
        request_received_timestamp: String,
        stage_timestamp: String,
        annotations: HashMap<String, String>,
    }

    #[derive(Deserialize)]
    struct User {
        username: String,
        uid: String,
        groups: Vec<String>,
        extra: HashMap<String, Vec<String>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ObjectRef {
        resource: String,
        namespace: String,
        api_version: String,
    }

    #[derive(Deserialize)]
    struct ResponseStatus {
        metadata: HashMap<String, String>,
        status: String,
        reason: String,
        code: u64,
    }
}
