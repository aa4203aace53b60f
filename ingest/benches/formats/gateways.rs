//! Yardsticks for the logs of gateways: every field of the line that is measured, typed and owned, as a plain `serde_json` parse
//! gives it.

#![expect(dead_code, reason = "parsed, not read: that is the yardstick")]

pub(crate) mod envoy {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        start_time: String,
        method: String,
        path: String,
        protocol: String,
        response_code: u64,
        response_flags: String,
        response_code_details: String,
        bytes_received: u64,
        bytes_sent: u64,
        duration: u64,
        upstream_service_time: Option<String>,
        x_forwarded_for: String,
        user_agent: String,
        request_id: String,
        authority: String,
        route_name: String,
        upstream_cluster: Option<String>,
        upstream_host: Option<String>,
        downstream_remote_address: String,
        downstream_local_address: String,
        requested_server_name: String,
        tls_version: String,
        tls_cipher: String,
        ja3: String,
        ja4: String,
        jwt_sub: String,
        jwt_scope: String,
        jwt_aud: Vec<String>,
    }
}

pub(crate) mod istio {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        authority: String,
        bytes_received: u64,
        bytes_sent: u64,
        connection_termination_details: Option<String>,
        downstream_local_address: String,
        downstream_remote_address: String,
        duration: u64,
        method: String,
        path: String,
        protocol: String,
        request_id: String,
        requested_server_name: String,
        response_code: u64,
        response_code_details: String,
        response_flags: String,
        route_name: String,
        start_time: String,
        upstream_cluster: String,
        upstream_host: String,
        upstream_local_address: String,
        upstream_service_time: String,
        upstream_transport_failure_reason: Option<String>,
        user_agent: String,
        x_forwarded_for: String,
    }
}

pub(crate) mod nginx {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        time_iso8601: String,
        msec: String,
        remote_addr: String,
        http_x_forwarded_for: String,
        remote_user: String,
        request_id: String,
        request_method: String,
        request_uri: String,
        server_protocol: String,
        host: String,
        status: String,
        body_bytes_sent: String,
        bytes_sent: String,
        request_length: String,
        request_time: String,
        upstream_addr: String,
        upstream_status: String,
        upstream_response_time: String,
        ssl_protocol: String,
        ssl_cipher: String,
        http_user_agent: String,
        http_referer: String,
        jwt_claim_sub: String,
        jwt_claim_scope: String,
    }
}

pub(crate) mod caddy {
    use std::collections::HashMap;

    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        level: String,
        ts: f64,
        logger: String,
        msg: String,
        request: Request,
        bytes_read: u64,
        user_id: String,
        duration: f64,
        size: u64,
        status: u64,
        resp_headers: HashMap<String, Vec<String>>,
    }

    #[derive(Deserialize)]
    struct Request {
        remote_ip: String,
        remote_port: String,
        client_ip: String,
        proto: String,
        method: String,
        host: String,
        uri: String,
        headers: HashMap<String, Vec<String>>,
        tls: Tls,
    }

    #[derive(Deserialize)]
    struct Tls {
        resumed: bool,
        version: u64,
        cipher_suite: u64,
        proto: String,
        server_name: String,
        ech: bool,
    }
}

pub(crate) mod traefik {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    pub(crate) struct Record {
        client_addr: String,
        client_host: String,
        client_port: String,
        client_username: String,
        downstream_content_size: u64,
        downstream_status: u64,
        duration: u64,
        gzip_ratio: u64,
        origin_content_size: u64,
        origin_duration: u64,
        origin_status: u64,
        overhead: u64,
        request_addr: String,
        request_content_size: u64,
        request_count: u64,
        request_host: String,
        request_method: String,
        request_path: String,
        request_port: String,
        request_protocol: String,
        request_scheme: String,
        retry_attempts: u64,
        router_name: String,
        service_addr: String,
        service_name: String,
        #[serde(rename = "ServiceURL")]
        service_url: String,
        start_local: String,
        #[serde(rename = "StartUTC")]
        start_utc: String,
        #[serde(rename = "TLSCipher")]
        tls_cipher: String,
        #[serde(rename = "TLSVersion")]
        tls_version: String,
        #[serde(rename = "entryPointName")]
        entry_point_name: String,
        #[serde(rename = "level")]
        level: String,
        #[serde(rename = "msg")]
        msg: String,
        #[serde(rename = "request_User-Agent")]
        request_user_agent: String,
        #[serde(rename = "request_X-Request-Id")]
        request_x_request_id: String,
        #[serde(rename = "time")]
        time: String,
    }
}

pub(crate) mod haproxy {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        client_ip: String,
        client_port: u64,
        request_date: String,
        fe_name_transport: String,
        be_name: String,
        server_name: String,
        time_request: u64,
        time_wait: u64,
        time_connect: u64,
        time_response: u64,
        time_active: u64,
        status_code: u64,
        bytes_read: u64,
        termination_state: String,
        retries: u64,
        request_line: String,
        ssl_version: String,
        ssl_cipher: String,
    }
}

pub(crate) mod apisix {
    use std::collections::HashMap;

    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        request: Request,
        response: Response,
        server: Server,
        upstream: String,
        service_id: String,
        route_id: String,
        consumer: Consumer,
        client_ip: String,
        start_time: u64,
        latency: f64,
        upstream_latency: u64,
        apisix_latency: f64,
    }

    #[derive(Deserialize)]
    struct Request {
        uri: String,
        url: String,
        method: String,
        querystring: HashMap<String, String>,
        size: u64,
        headers: HashMap<String, String>,
    }

    #[derive(Deserialize)]
    struct Response {
        status: u64,
        size: u64,
        headers: HashMap<String, String>,
    }

    #[derive(Deserialize)]
    struct Server {
        hostname: String,
        version: String,
    }

    #[derive(Deserialize)]
    struct Consumer {
        username: String,
    }
}

pub(crate) mod tyk {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        timestamp: String,
        method: String,
        path: String,
        raw_path: String,
        response_code: u64,
        alias: String,
        api_key: String,
        api_version: String,
        api_name: String,
        api_id: String,
        org_id: String,
        oauth_id: String,
        raw_request: String,
        request_time_ms: u64,
        raw_response: String,
        ip_address: String,
        host: String,
        content_length: u64,
        user_agent: String,
    }
}
