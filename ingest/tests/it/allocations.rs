//! The steady state allocates nothing: events borrow from their records, and everything on the way fits into the stack.

use tokenwatch_ingest::{DecoderConfig, FormatChoice, RawRecord};

use super::{decoder, stream};

const KONG: &str = r#"{"request":{"uri":"/v1/orders?limit=10","url":"https://api.example.com:8443/v1/orders?limit=10","querystring":{"limit":"10"},"method":"GET","headers":{"host":"api.example.com","user-agent":"acme-sdk/2.1","authorization":"REDACTED","apikey":"pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K"},"size":412,"id":"2f6946328ffc4946b8c9120704a4a155","tls":{"version":"TLSv1.3"}},"response":{"status":200,"size":1873,"headers":{"content-type":"application/json"}},"tries":[{"ip":"10.0.3.7"}],"latencies":{"request":34},"authenticated_entity":{"id":"5cbc6a9e-6f44-4f3b-9d0f-0c7c43f9a001"},"consumer":{"username":"acme"},"route":{"name":"orders"},"client_ip":"203.0.113.7","started_at":1763793600122}"#;
const ENVOY: &str = r#"{"start_time":"2025-11-22T06:40:00.310Z","method":"GET","path":"/v1/orders","response_code":403,"response_flags":"-","bytes_received":0,"bytes_sent":19,"duration":2,"user_agent":"acme-sdk/2.1","request_id":"9b3f4d6a-1111-4d5e-9f1d-1f0f7b0b8f61","authority":"api.example.com","route_name":"orders","downstream_remote_address":"203.0.113.7:51244","tls_version":"TLSv1.3","jwt_iss":"https://id.example.com","jwt_sub":"svc-billing","jwt_jti":"j-1","x_api_key":"pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K"}"#;
const NGINX: &str = r#"{"msec":"1763793600.123","remote_addr":"203.0.113.7","request_id":"b1946ac92492d2347c6235b4d2611184","request_method":"GET","request_uri":"/v1/orders?limit=10","host":"api.example.com","status":"200","body_bytes_sent":"1873","request_length":"412","request_time":"0.034","ssl_protocol":"TLSv1.3","http_user_agent":"acme-sdk/2.1","http_x_api_key":"pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K"}"#;
const COMBINED: &str = r#"203.0.113.7 - acme [22/Nov/2025:06:40:00 +0000] "GET /v1/orders?limit=10&api_key=pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K HTTP/2.0" 200 1873 "-" "acme-sdk/2.1""#;
const ENVOY_TEXT: &str = r#"[2025-11-22T06:40:00.310Z] "GET /v1/orders HTTP/2" 401 UAEX 154 21 3 - "203.0.113.7" "acme-sdk/2.1" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "api.example.com" "-""#;

#[test]
fn an_event_of_the_hot_formats_costs_no_allocation() {
    for (format, line) in [
        (FormatChoice::Kong, KONG),
        (FormatChoice::Envoy, ENVOY),
        (FormatChoice::Nginx, NGINX),
        (FormatChoice::Nginx, COMBINED),
        (FormatChoice::Envoy, ENVOY_TEXT),
        (FormatChoice::Auto, KONG),
        (FormatChoice::Auto, ENVOY),
        (FormatChoice::Auto, NGINX),
    ] {
        let decoder = decoder(&DecoderConfig {
            format,
            ..DecoderConfig::default()
        });
        let stream = stream();
        let record = RawRecord {
            stream: &stream,
            offset: 0,
            appended_at: None,
            bytes: line.as_bytes(),
        };
        let (mut events, mut rejects) = (Vec::with_capacity(1), Vec::new());
        let made = allocation_counter::measure(|| {
            for _ in 0..100 {
                events.clear();
                decoder.decode(record, &mut events, &mut rejects);
            }
        });
        assert_eq!((events.len(), rejects.len()), (1, 0), "{line}");
        assert_eq!(made.count_total, 0, "{format}: {line}");
    }
}
