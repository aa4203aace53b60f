//! Yardsticks for the logs of clouds: every field of the line that is measured, typed and owned, as a plain `serde_json` parse
//! gives it.

#![expect(dead_code, reason = "parsed, not read: that is the yardstick")]

pub(crate) mod aws_apigw {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Record {
        request_id: String,
        extended_request_id: String,
        ip: String,
        caller: String,
        user: String,
        api_key_id: String,
        request_time: String,
        request_time_epoch: String,
        http_method: String,
        resource_path: String,
        path: String,
        stage: String,
        api_id: String,
        domain_name: String,
        status: String,
        protocol: String,
        response_length: String,
        response_latency: String,
        authorizer_principal_id: String,
        claims_sub: String,
        claims_scope: String,
        authorizer_error: String,
        error_response_type: String,
        user_agent: String,
        tls_version: String,
        cipher_suite: String,
        waf_response_code: String,
    }
}

pub(crate) mod cloudtrail {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Record {
        event_version: String,
        user_identity: UserIdentity,
        event_time: String,
        event_source: String,
        event_name: String,
        aws_region: String,
        #[serde(rename = "sourceIPAddress")]
        source_ip_address: String,
        user_agent: String,
        error_code: String,
        error_message: String,
        request_parameters: Option<String>,
        response_elements: Option<String>,
        #[serde(rename = "requestID")]
        request_id: String,
        #[serde(rename = "eventID")]
        event_id: String,
        read_only: bool,
        event_type: String,
        management_event: bool,
        recipient_account_id: String,
        event_category: String,
        tls_details: TlsDetails,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct UserIdentity {
        #[serde(rename = "type")]
        kind: String,
        principal_id: String,
        arn: String,
        account_id: String,
        access_key_id: String,
        user_name: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TlsDetails {
        tls_version: String,
        cipher_suite: String,
        client_provided_host_header: String,
    }
}

pub(crate) mod gcp {
    use std::collections::HashMap;

    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Record {
        insert_id: String,
        json_payload: JsonPayload,
        resource: Resource,
        timestamp: String,
        severity: String,
        log_name: String,
    }

    #[derive(Deserialize)]
    struct JsonPayload {
        api_key: String,
        api_method: String,
        api_name: String,
        api_version: String,
        http_method: String,
        http_response_code: u64,
        location: String,
        log_message: String,
        producer_project_id: String,
        request_latency_in_ms: u64,
        request_size_in_bytes: u64,
        response_size_in_bytes: u64,
        timestamp: f64,
        url: String,
    }

    #[derive(Deserialize)]
    struct Resource {
        #[serde(rename = "type")]
        kind: String,
        labels: HashMap<String, String>,
    }
}

pub(crate) mod azure_apim {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Record {
        records: Vec<Entry>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        #[serde(rename = "Level")]
        level: u64,
        is_request_success: bool,
        time: String,
        operation_name: String,
        category: String,
        duration_ms: u64,
        caller_ip_address: String,
        correlation_id: String,
        location: String,
        properties: Properties,
        resource_id: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Properties {
        method: String,
        url: String,
        response_code: u64,
        response_size: u64,
        cache: String,
        request_size: u64,
        api_id: String,
        operation_id: String,
        product_id: String,
        user_id: String,
        apim_subscription_id: String,
        client_time: u64,
        client_protocol: String,
        api_revision: String,
        client_tls_version: String,
        last_error: LastError,
    }

    #[derive(Deserialize)]
    struct LastError {
        elapsed: u64,
        source: String,
        scope: String,
        section: String,
        reason: String,
        message: String,
    }
}

pub(crate) mod cloudflare {
    use std::collections::HashMap;

    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    pub(crate) struct Record {
        #[serde(rename = "ClientIP")]
        client_ip: String,
        #[serde(rename = "ClientASN")]
        client_asn: u64,
        client_country: String,
        client_request_host: String,
        client_request_method: String,
        client_request_path: String,
        #[serde(rename = "ClientRequestURI")]
        client_request_uri: String,
        client_request_protocol: String,
        client_request_user_agent: String,
        client_request_bytes: u64,
        #[serde(rename = "ClientSSLProtocol")]
        client_ssl_protocol: String,
        #[serde(rename = "ClientSSLCipher")]
        client_ssl_cipher: String,
        client_src_port: u64,
        edge_start_timestamp: u64,
        edge_end_timestamp: u64,
        edge_response_status: u64,
        edge_response_bytes: u64,
        edge_time_to_first_byte_ms: u64,
        origin_response_status: u64,
        origin_response_duration_ms: u64,
        #[serde(rename = "RayID")]
        ray_id: String,
        zone_name: String,
        #[serde(rename = "JA3Hash")]
        ja3_hash: String,
        #[serde(rename = "JA4")]
        ja4: String,
        bot_score: u64,
        security_action: String,
        security_sources: Vec<String>,
        leaked_credential_check_result: String,
        request_headers: HashMap<String, String>,
        cookies: HashMap<String, String>,
    }
}
