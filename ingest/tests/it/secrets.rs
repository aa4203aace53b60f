//! Secrets planted everywhere a client or a gateway can put one: none may come out again, in any spelling.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tokenwatch_ingest::{DecoderConfig, FormatChoice, TokenKey};
use tokenwatch_model::EventFlag;

use super::{decode, decoder};

/// Keys of vendors, random ones, a password that looks like nothing, and a JWT.
const SECRETS: [&str; 7] = [
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "Zx81kQp0sLm3Vt7aYwQ92hd",
    "hunter2/with+signs=&more",
    "correcthorsebatterystaple",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzZWNyZXQtcGVyc29uIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
];

fn percent_encoded(secret: &str) -> String {
    percent_encoding::percent_encode(secret.as_bytes(), percent_encoding::NON_ALPHANUMERIC)
        .to_string()
}

/// Lines of every format with `@` where the secret as it is goes, and `%` where it goes in the encoding of URLs.
const KONG: &str = r#"{"request":{"method":"GET","uri":"/v1/%/x?api_key=%&q=1","url":"http://h/v1/%","querystring":{"api_key":"@"},"headers":{"host":"h","authorization":"Bearer @","apikey":"@","cookie":"session=@; a=b","user-agent":"cli @ (%)","referer":"https://h/?token=%","x-forwarded-for":"@"},"id":"@"},"response":{"status":401,"headers":{"www-authenticate":"@"},"body":"bad key @"},"latencies":{"request":1},"authenticated_entity":{"id":"@"},"consumer":{"username":"@"},"route":{"name":"@"},"client_ip":"203.0.113.7","started_at":1763793600122}"#;
const NGINX: &str = r#"{"time_iso8601":"2025-11-22T06:40:00+00:00","remote_addr":"203.0.113.7","remote_user":"@","request_id":"@","request_method":"@","request_uri":"/v1/%?access_token=%","host":"@","status":"401","http_user_agent":"cli @ (%)","http_referer":"https://h/?token=%","http_x_api_key":"@","cookie_session":"@","error":"bad key @"}"#;
const COMBINED: &str = r#"203.0.113.7 - @ [22/Nov/2025:06:40:00 +0000] "GET /v1/%?token=% HTTP/1.1" 401 12 "https://h/?token=%" "cli @ (%)""#;
const ENVOY_TEXT: &str = r#"[2025-11-22T06:40:00.310Z] "GET /v1/%?token=% HTTP/2" 401 UAEX 1 2 3 - "203.0.113.7" "cli @ (%)" "@" "@" "-""#;
const ENVOY: &str = r#"{"start_time":"2025-11-22T06:40:00.310Z","method":"GET","path":"/v1/%?token=%","response_code":401,"response_flags":"UAEX","response_code_details":"@","authority":"@","user_agent":"cli @ (%)","request_id":"@","route_name":"@","authorization":"Bearer @","x-api-key":"@","referer":"%"}"#;
const ISTIO: &str = r#"{"start_time":"2025-11-22T06:40:00.310Z","method":"GET","path":"/v1/%?token=%","response_code":401,"response_flags":"-","authority":"@","user_agent":"cli @ (%)","request_id":"@","route_name":"@","authorization":"@","upstream_transport_failure_reason":"@"}"#;
const CADDY: &str = r#"{"ts":1763793600.1,"logger":"http.log.access","request":{"client_ip":"203.0.113.7","method":"GET","host":"@","uri":"/v1/%?token=%","headers":{"User-Agent":["cli @ (%)"],"Referer":["%"],"X-Api-Key":["@"],"Cookie":["session=@"],"X-Request-Id":["@"]}},"user_id":"@","status":401,"resp_headers":{"X":["@"]}}"#;
const AWS_APIGW: &str = r#"{"requestId":"@","ip":"203.0.113.7","requestTime":"22/Nov/2025:06:40:00 +0000","routeKey":"GET /v1/{id}","path":"/v1/%?token=%","status":"401","domainName":"@","stage":"@","userAgent":"cli @ (%)","apiKey":"@","authorizerPrincipalId":"@","user":"@","authorization":"Bearer @","authorizerError":"@"}"#;
const AWS_ALB: &str = r#"https 2025-11-22T06:40:00.186641Z app/lb/50dc 203.0.113.7:2817 10.0.0.1:80 0.086 0.048 0.037 401 401 412 1873 "GET https://api.example.com:443/v1/%?token=% HTTP/1.1" "cli @ (%)" ECDHE TLSv1.2 arn:x "@" "@" "-" 1 2025-11-22T06:40:00.015000Z "forward" "https://h/?token=%" "-""#;
const GCP: &str = r#"{"insertId":"@","logName":"projects/p/logs/endpoints_log","jsonPayload":{"api_key":"@","api_method":"@","api_name":"@","http_method":"GET","http_response_code":401,"url":"/v1/%?token=%","log_message":"bad key @","error_cause":"@"},"httpRequest":{"userAgent":"cli @ (%)","referer":"https://h/?token=%"},"timestamp":"2025-11-22T06:40:00.123161800Z"}"#;
const AZURE_APIM: &str = r#"{"records":[{"time":"2025-11-22T06:40:00.1231618Z","category":"GatewayLogs","callerIpAddress":"203.0.113.7","correlationId":"@","location":"@","properties":{"method":"GET","url":"https://apim.example.net/v1/%?subscription-key=%","responseCode":401,"apiId":"@","operationId":"@","userId":"@","apimSubscriptionId":"@","lastError":{"message":"bad key @"},"requestHeaders":{"User-Agent":"cli @ (%)","Ocp-Apim-Subscription-Key":"@"}}}]}"#;
const CLOUDFLARE: &str = r#"{"ClientIP":"203.0.113.7","ClientRequestHost":"@","ClientRequestMethod":"GET","ClientRequestURI":"/v1/%?token=%","ClientRequestPath":"/v1/%","ClientRequestUserAgent":"cli @ (%)","ClientRequestReferer":"https://h/?token=%","EdgeStartTimestamp":1763793600123000000,"EdgeResponseStatus":401,"RayID":"@","EdgeColoCode":"@","RequestHeaders":{"authorization":"Bearer @","x-api-key":"@"},"Cookies":{"session":"@","other":"@"}}"#;
const K8S_AUDIT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"@","stage":"ResponseComplete","requestURI":"/api/v1/%?access_token=%","verb":"@","user":{"username":"@","extra":{"authentication.kubernetes.io/credential-id":["@"]}},"sourceIPs":["203.0.113.7"],"userAgent":"cli @ (%)","objectRef":{"resource":"@","namespace":"@","name":"@","apiVersion":"@"},"responseStatus":{"message":"@","code":401},"requestReceivedTimestamp":"2025-11-22T06:40:00.763960Z","requestObject":{"data":{"password":"@"}}}"#;
/// CloudTrail has no URL and no header. What a client can write there is a text, or an object that is not read.
const CLOUDTRAIL: &str = r#"{"Records":[{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"ci"},"eventTime":"2025-11-22T06:40:00Z","eventSource":"iam.amazonaws.com","eventName":"ChangePassword","sourceIPAddress":"203.0.113.7","userAgent":"cli","errorCode":"AccessDenied","errorMessage":"bad key @ (%)","requestParameters":{"password":"@","url":"https://h/?token=%"},"responseElements":{"credentials":{"sessionToken":"@","secretAccessKey":"@"}},"additionalEventData":{"x":"@"},"requestID":"r","eventID":"e","readOnly":false}]}"#;
const TRAEFIK: &str = r#"{"ClientAddr":"203.0.113.7:1","ClientUsername":"@","DownstreamStatus":401,"RequestHost":"@","RequestMethod":"GET","RequestPath":"/v1/%?token=%","RouterName":"@","ServiceURL":"http://h/%","StartUTC":"2025-11-22T06:40:00Z","request_User-Agent":"cli @ (%)","request_Authorization":"Bearer @","request_X-Api-Key":"@","request_Referer":"%","request_Cookie":"session=@","downstream_Set-Cookie":"session=@"}"#;
const TRAEFIK_TEXT: &str = r#"203.0.113.7 - @ [22/Nov/2025:06:40:00 +0000] "GET /v1/%?token=% HTTP/1.1" 401 5 "https://h/?token=%" "cli @ (%)" 4 "orders@docker" "http://10.0.3.7:8080" 0ms"#;
const HAPROXY: &str = r#"{"ts":"1763793600.123","client_ip":"203.0.113.7","status_code":401,"termination_state":"--","uri":"/v1/%?token=%","host":"@","user_agent":"cli @ (%)","authorization":"Bearer @","x_api_key":"@","request_id":"@","referer":"%","cookie":"session=@"}"#;
const HAPROXY_TEXT: &str = r#"203.0.113.7:1 [22/Nov/2025:06:40:00.123] web~ a/b 0/0/1/31/34 401 5 session=@ session=@ ---- 1/1/1/1/0 0/0 {cli/1 @ (%)|Bearer @|%} {@} "GET /v1/%?token=% HTTP/1.1""#;
const APISIX: &str = r#"{"request":{"method":"GET","uri":"/v1/%?api_key=%","url":"http://h/v1/%","querystring":{"api_key":"@"},"headers":{"host":"@","authorization":"Bearer @","apikey":["@","x"],"cookie":"session=@","user-agent":"cli @ (%)","referer":"%","x-credential-identifier":"@"},"body":"@"},"response":{"status":401,"headers":{"x":"@"},"body":"@"},"consumer":{"username":"@"},"server":{"hostname":"@","version":"3.11.0"},"route_id":"@","client_ip":"203.0.113.7","start_time":1763793600123,"latency":1.5}"#;
const TYK: &str = r#"{"timestamp":"2025-11-22T06:40:00Z","method":"GET","path":"/v1/%?token=%","raw_path":"/v1/%?token=%","response_code":401,"alias":"@","api_key":"@","oauth_id":"@","raw_request":"@","raw_response":"@","request_time_ms":1,"ip_address":"203.0.113.7","host":"@","user_agent":"cli @ (%)"}"#;
const KRAKEND: &str = r#"{"prefix":"[KRAKEND]","time":"2025/11/22 - 06:40:00.123","status_code":401,"latency_ms":1,"client_ip":"203.0.113.7","method":"GET","host":"@","path":"/v1/%","query":"token=%","user_agent":"cli @ (%)","authorization":"Bearer @","x_api_key":"@","referer":"%","request_id":"@"}"#;
const KRAKEND_TEXT: &str =
    r#"[GIN] 2025/11/22 - 06:40:00 | 401 | 12.679µs | 203.0.113.7 | GET      "/v1/%?token=%""#;
const OTLP: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"@"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1763793600123161800","body":{"stringValue":"@ %"},"attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"http.response.status_code","value":{"intValue":"401"}},{"key":"url.full","value":{"stringValue":"https://h/v1/%?token=%"}},{"key":"http.route","value":{"stringValue":"@"}},{"key":"user_agent.original","value":{"stringValue":"cli @ (%)"}},{"key":"http.request.header.authorization","value":{"arrayValue":{"values":[{"stringValue":"Bearer @"}]}}},{"key":"enduser.id","value":{"stringValue":"@"}},{"key":"error.message","value":{"stringValue":"@"}}]}]}]}]}"#;
const ECS: &str = r#"{"event":{"start":"2025-11-22T06:40:00Z"},"ecs":{"version":"8.11.0"},"message":"@ %","error":{"message":"@"},"http":{"request":{"id":"@","method":"GET","referrer":"%","headers":{"x-api-key":["@"],"cookie":["session=@"]}},"response":{"status_code":401}},"url":{"original":"/v1/%?token=%","path":"/v1/%","query":"token=%","domain":"@"},"client":{"ip":"203.0.113.7"},"user":{"name":"@"},"user_agent":{"original":"cli @ (%)"},"observer":{"hostname":"@"},"labels":{"credential_id":"@"}}"#;
const OCSF: &str = r#"{"class_uid":6003,"activity_id":2,"time":1763793600123,"message":"@ %","actor":{"user":{"name":"@","uid":"@","credential_uid":"@"}},"api":{"operation":"@","service":{"name":"@"},"request":{"uid":"@"},"response":{"code":401,"error":"@","message":"@"}},"src_endpoint":{"ip":"203.0.113.7"},"http_request":{"http_method":"GET","url":{"url_string":"https://h/v1/%?token=%"},"user_agent":"cli @ (%)","http_headers":[{"name":"Authorization","value":"Bearer @"}]}}"#;
/// Every line of JSON.
const ALL: [&str; 19] = [
    KONG, NGINX, ENVOY, ISTIO, CADDY, AWS_APIGW, GCP, AZURE_APIM, CLOUDFLARE, K8S_AUDIT,
    CLOUDTRAIL, TRAEFIK, HAPROXY, APISIX, TYK, KRAKEND, OTLP, ECS, OCSF,
];
/// Where a secret is known by its shape only.
const CLOUDTRAIL_TEXTS: &str = r#"{"userIdentity":{"type":"IAMUser","userName":"ci","accountId":"1"},"eventTime":"2025-11-22T06:40:00Z","eventSource":"iam.amazonaws.com","eventName":"ListUsers","sourceIPAddress":"@","userAgent":"[cli @ (%)]","errorCode":"AccessDenied"}"#;

fn planted(line: &str, secret: &str) -> String {
    line.replace('%', "\u{0}")
        .replace('@', secret)
        .replace('\u{0}', &percent_encoded(secret))
}

fn check_absent(text: &str, secret: &str, what: &str) {
    let basic = STANDARD.encode(secret);
    let spellings = [
        secret.to_owned(),
        percent_encoded(secret),
        serde_json::to_string(secret)
            .unwrap()
            .trim_matches('"')
            .to_owned(),
        basic,
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ];
    for spelling in spellings {
        assert!(!text.contains(&spelling), "{what}: {spelling} in {text}");
    }
}

fn check(format: FormatChoice, line: &str) {
    let decoder = decoder(&DecoderConfig {
        format,
        ..DecoderConfig::default()
    });
    for secret in SECRETS {
        let line = planted(line, secret);
        let (events, rejects) = decode(&decoder, 0, line.as_bytes());
        assert_eq!((events.len(), rejects.len()), (1, 0), "{line}");
        let text = serde_json::to_string(&events).unwrap();
        check_absent(&text, secret, format.name());
        assert!(events[0].flags.contains(EventFlag::TokenInUrl), "{text}");
        assert!(events[0].flags.contains(EventFlag::Scrubbed), "{text}");
    }
}

#[test]
fn no_planted_secret_comes_out_of_kong() {
    check(FormatChoice::Kong, KONG);
}

#[test]
fn no_planted_secret_comes_out_of_nginx() {
    check(FormatChoice::Nginx, NGINX);
    check(FormatChoice::Nginx, COMBINED);
}

#[test]
fn no_planted_secret_comes_out_of_envoy_and_istio() {
    check(FormatChoice::Envoy, ENVOY_TEXT);
    check(FormatChoice::Envoy, ENVOY);
    check(FormatChoice::Istio, ISTIO);
}

#[test]
fn no_planted_secret_comes_out_of_caddy() {
    check(FormatChoice::Caddy, CADDY);
}

#[test]
fn no_planted_secret_comes_out_of_aws() {
    check(FormatChoice::AwsApigw, AWS_APIGW);
    check(FormatChoice::AwsAlb, AWS_ALB);
}

#[test]
fn no_planted_secret_comes_out_of_gcp() {
    check(FormatChoice::Gcp, GCP);
}

#[test]
fn no_planted_secret_comes_out_of_azure() {
    check(FormatChoice::AzureApim, AZURE_APIM);
}

#[test]
fn no_planted_secret_comes_out_of_cloudflare() {
    check(FormatChoice::Cloudflare, CLOUDFLARE);
}

#[test]
fn no_planted_secret_comes_out_of_kubernetes() {
    check(FormatChoice::K8sAudit, K8S_AUDIT);
}

#[test]
fn no_planted_secret_comes_out_of_cloudtrail() {
    let decoder = decoder(&DecoderConfig::default());
    let shaped = SECRETS
        .iter()
        .filter(|secret| !secret.starts_with("correct") && !secret.starts_with("hunter"));
    let lines = SECRETS
        .iter()
        .map(|secret| (CLOUDTRAIL, secret))
        .chain(shaped.map(|secret| (CLOUDTRAIL_TEXTS, secret)));
    for (line, secret) in lines {
        let line = planted(line, secret);
        let (events, rejects) = decode(&decoder, 0, line.as_bytes());
        assert_eq!((events.len(), rejects.len()), (1, 0), "{line}");
        assert_eq!(events[0].format, tokenwatch_model::Format::Cloudtrail);
        let text = serde_json::to_string(&events).unwrap();
        check_absent(&text, secret, "cloudtrail");
    }
}

#[test]
fn no_planted_secret_comes_out_of_other_gateways() {
    check(FormatChoice::Traefik, TRAEFIK);
    check(FormatChoice::Traefik, TRAEFIK_TEXT);
    check(FormatChoice::Haproxy, HAPROXY);
    check(FormatChoice::Haproxy, HAPROXY_TEXT);
    check(FormatChoice::Apisix, APISIX);
    check(FormatChoice::Tyk, TYK);
    check(FormatChoice::Krakend, KRAKEND);
    check(FormatChoice::Krakend, KRAKEND_TEXT);
}

#[test]
fn no_planted_secret_comes_out_of_standards() {
    check(FormatChoice::Otlp, OTLP);
    check(FormatChoice::Ecs, ECS);
    check(FormatChoice::Ocsf, OCSF);
}

#[test]
fn basic_credentials_do_not_come_out_either() {
    let secret = "hush-hush-77";
    let encoded = STANDARD.encode(format!("user:{secret}"));
    let line = format!(
        r#"{{"request":{{"method":"GET","uri":"/v1/{secret}/{encoded}","headers":{{"authorization":"Basic {encoded}","user-agent":"cli {secret} {encoded}"}}}},"response":{{"status":200}},"latencies":{{}},"client_ip":"203.0.113.7","started_at":1763793600122}}"#
    );
    let (events, _) = decode(&decoder(&DecoderConfig::default()), 0, line.as_bytes());
    let text = serde_json::to_string(&events).unwrap();
    check_absent(&text, secret, "password");
    assert!(!text.contains(&encoded), "{text}");
}

#[test]
fn rejected_records_keep_their_secrets_too() {
    let decoder = decoder(&DecoderConfig::default());
    for secret in SECRETS {
        for line in ALL {
            let line = planted(line, secret);
            for end in (1..line.len()).filter(|end| line.is_char_boundary(*end)) {
                let (_, rejects) = decode(&decoder, 0, &line.as_bytes()[..end]);
                let text = serde_json::to_string(&rejects).unwrap();
                check_absent(&text, secret, &format!("cut at {end}"));
            }
        }
    }
}

#[test]
fn a_lost_quote_turns_no_secret_out() {
    let decoder = decoder(&DecoderConfig::default());
    for secret in SECRETS {
        for line in ALL.into_iter().chain([ENVOY_TEXT]) {
            let line = planted(line, secret);
            for (at, _) in line.match_indices(['"', '{', '}', ':', ',']) {
                for wrong in ["", "x", "]", "\\"] {
                    let line = [&line[..at], wrong, &line[at + 1..]].concat();
                    let (_, rejects) = decode(&decoder, 0, line.as_bytes());
                    let text = serde_json::to_string(&rejects).unwrap();
                    check_absent(&text, secret, &line);
                }
            }
        }
    }
}

#[test]
fn a_raw_key_in_a_line_has_the_id_that_the_key_alone_has() {
    let key = TokenKey::from_bytes(&[7; 32]);
    let line = r#"{"time_iso8601":"2025-11-22T06:40:00Z","remote_addr":"203.0.113.7","status":"200","http_apikey":"k-4711"}"#;
    let (events, _) = decode(&decoder(&DecoderConfig::default()), 0, line.as_bytes());
    assert_eq!(
        events[0].token.as_ref().unwrap().id,
        key.token_id(b"k-4711")
    );
}
