"""Lines of every format with a secret in the places that are asked for, and the spellings in which a secret could come out again."""

import base64
import json
import random
import string
import urllib.parse
from datetime import datetime, timezone

from planted_standards import ecs, iso, ocsf, otlp

BASE62 = string.ascii_letters + string.digits
# Where a client can put a secret, or a gateway can write one; what stands in the first of them is a secret, whatever it looks like.
CREDENTIAL_PLACES = ("authorization", "key", "named_query", "cookie")
PLACES = (*CREDENTIAL_PLACES, "header", "query", "path", "agent", "referer", "error")
# Names that an operator or the gateway chose: a secret there is known only if the record shows it to be one.
NAMES = ("names",)
WINDOW, STRIDE = 16, 8


class Secret:
    """A secret, and whether it looks like one wherever it stands."""

    def __init__(self, kind, text, authorization=None, is_shaped=True):
        self.kind, self.text, self.is_shaped = kind, text, is_shaped
        self.authorization = authorization or f"Bearer {text}"

    def spellings(self):
        """Every needle to look for."""
        needles = set()
        for text in {self.text, *self.parts()}:
            raw = text.encode()
            needles |= {raw, urllib.parse.quote(text, safe="").encode(), json.dumps(text)[1:-1].encode(), raw.hex().encode()}
            needles.add("".join(f"%{byte:02X}" for byte in raw).encode())
            needles.add(text.replace("/", "\\/").encode())
            for shift in range(3):
                # Whatever stands before and after it: only the characters that are the secret's own.
                encoded = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
                core = encoded[(shift * 8 + 5) // 6 : len(encoded) - 1]
                needles |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
        if self.authorization.startswith("Basic "):
            needles.add(self.authorization.removeprefix("Basic ").encode())
        return {needle.lower() for needle in needles if len(needle) >= 8}

    def parts(self):
        """Pieces that would give much of it away: of a JWT nothing of the header, which is no secret."""
        text = self.text
        if self.kind == "jwt":
            _, payload, signature = text.split(".")
            return [payload, signature]
        tail = text.rsplit("_", 1)[-1]
        return [tail[start : start + WINDOW] for start in range(0, len(tail) - WINDOW + 1, STRIDE)]


def secrets(seed):
    chance = random.Random(seed)

    def drawn(count, alphabet=BASE62):
        return "".join(chance.choices(alphabet, k=count))

    def segment(**claims):
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    password = f"Tr0ub4dor&{drawn(4)}"
    jwt = f"{segment(alg='HS256', typ='JWT')}.{segment(sub='svc-billing', iss='https://login.example.com', nonce=drawn(12))}.{drawn(43)}"
    return [
        Secret("jwt", jwt),
        Secret("stripe_key", f"sk_live_{drawn(24)}"),
        Secret("github_token", f"ghp_{drawn(36)}"),
        Secret("random_key", drawn(32)),
        Secret("hex_key", drawn(40, "0123456789abcdef")),
        Secret("basic_password", password, "Basic " + base64.b64encode(f"acme:{password}".encode()).decode(), is_shaped=False),
        # Many ids of ordinary things look like this one.
        Secret("session_cookie", drawn(26, string.ascii_lowercase + string.digits), is_shaped=False),
        Secret("chosen_key", f"correct/horse+{drawn(5, string.ascii_lowercase)}=&battery", is_shaped=False),
    ]


class Plant:
    """Puts one secret into the places of one line."""

    def __init__(self, secret, places):
        self.secret, self.places = secret, places

    def raw(self, place, text="{}", clean=""):
        return text.format(self.secret.text) if place in self.places else clean

    def url(self, place, text="{}", clean=""):
        return text.format(urllib.parse.quote(self.secret.text, safe="")) if place in self.places else clean

    def authorization(self):
        return self.secret.authorization if "authorization" in self.places else ""

    def uri(self, number):
        path = f"/v1/orders/{number}" + self.url("path", "/{}")
        return path + "?page=2" + self.url("named_query", "&api_key={}") + self.url("query", "&q={}")

    def agent(self):
        return "acme-sdk/2.1" + self.raw("agent", " {}") + self.url("agent", " ({})")

    def referer(self):
        return "https://app.example.com/" + self.url("referer", "?state={}")

    def cookie(self):
        return "theme=dark" + self.raw("cookie", "; session={}; other={0}".replace("{}", "{0}"))


def kong(plant, at, number):
    headers = {
        "host": "api.example.com",
        "user-agent": plant.agent(),
        "authorization": plant.authorization(),
        "apikey": plant.raw("key"),
        "x-debug": plant.raw("header"),
        "cookie": plant.cookie(),
        "referer": plant.referer(),
    }
    line = {
        "request": {
            "method": "GET",
            "uri": plant.uri(number),
            "url": "https://api.example.com" + plant.uri(number),
            "querystring": {"api_key": plant.raw("named_query"), "q": plant.raw("query")},
            "headers": headers,
            "body": plant.raw("error", '{{"password":"{}"}}'),
            "id": plant.raw("names", clean=f"req-{number}"),
        },
        "response": {"status": 403, "size": 18, "headers": {"set-cookie": plant.raw("cookie", "session={}")}, "body": plant.raw("error", "bad key {}")},
        "lastError": plant.raw("error", "upstream refused {}"),
        "latencies": {"kong": 1, "proxy": 2, "request": 3},
        "consumer": {"username": plant.raw("names", clean="acme")},
        "route": {"name": plant.raw("names", clean="orders")},
        "client_ip": "81.2.69.24",
        "started_at": int(at * 1_000),
    }
    if "names" in plant.places:
        line["authenticated_entity"] = {"id": plant.raw("names")}
    return json.dumps(line)


def nginx(plant, at, number):
    return json.dumps(
        {
            "msec": f"{at:.3f}",
            "request_id": plant.raw("names", clean=f"{number:032x}"),
            "remote_addr": "81.2.69.24",
            "remote_user": plant.raw("names"),
            "request_method": "GET",
            "host": plant.raw("names", clean="api.example.com"),
            "request_uri": plant.uri(number),
            "status": "403",
            "request_time": "0.003",
            "http_user_agent": plant.agent(),
            "http_referer": plant.referer(),
            "http_authorization": plant.authorization(),
            "http_x_api_key": plant.raw("key"),
            "http_x_debug": plant.raw("header"),
            "http_cookie": plant.cookie(),
            "cookie_session": plant.raw("cookie"),
            "last_error": plant.raw("error", "bad key {}"),
        }
    )


def combined(plant, at, number):
    when = datetime.fromtimestamp(at, timezone.utc).strftime("%d/%b/%Y:%H:%M:%S +0000")
    # The name that Basic authentication was done with is a name, unless it looks like a key.
    user = plant.raw("names", clean="-") if plant.secret.is_shaped else "-"
    return f'81.2.69.24 - {user} [{when}] "GET {plant.uri(number)} HTTP/1.1" 403 18 "{plant.referer()}" "{plant.agent()}"'


def envoy(plant, at, number, **more):
    line = {
        "start_time": iso(at),
        "method": "GET",
        "path": plant.uri(number),
        "protocol": "HTTP/2",
        "response_code": 403,
        "response_flags": "UAEX",
        "response_code_details": plant.raw("error", "denied: {}", "denied"),
        "upstream_transport_failure_reason": plant.raw("error", "TLS error with {}", "-"),
        "duration": 3,
        "authority": plant.raw("names", clean="api.example.com"),
        "user_agent": plant.agent(),
        "request_id": plant.raw("names", clean=f"req-{number}"),
        "route_name": plant.raw("names", clean="orders"),
        "downstream_remote_address": "81.2.69.24:51244",
        "authorization": plant.authorization(),
        "x-api-key": plant.raw("key"),
        "x-debug": plant.raw("header"),
        "cookie": plant.cookie(),
        "referer": plant.referer(),
    }
    return json.dumps(line | more)


def istio(plant, at, number):
    more = {"connection_termination_details": "-", "requested_server_name": "outbound_.80_._.orders.default", "upstream_cluster": "inbound|80||"}
    return envoy(plant, at, number, **more)


def envoy_text(plant, at, number):
    name = plant.raw("names", clean="api.example.com")
    return f'[{iso(at)}] "GET {plant.uri(number)} HTTP/2" 403 UAEX 1 18 3 - "81.2.69.24" "{plant.agent()}" "req-{number}" "{name}" "-"'


def caddy(plant, at, number):
    headers = {
        "User-Agent": [plant.agent()],
        "Authorization": [plant.authorization()],
        "X-Api-Key": [plant.raw("key")],
        "X-Debug": [plant.raw("header")],
        "Cookie": [plant.cookie()],
        "Referer": [plant.referer()],
    }
    request = {"client_ip": "81.2.69.24", "remote_ip": "81.2.69.24", "method": "GET", "host": "api.example.com", "uri": plant.uri(number), "headers": headers}
    more = {"user_id": plant.raw("names"), "err_trace": plant.raw("error", "bad key {}"), "resp_headers": {"Set-Cookie": [plant.raw("cookie", "session={}")]}}
    return json.dumps({"ts": at, "logger": "http.log.access", "msg": "handled request", "request": request, "duration": 0.003, "status": 403, **more})


def mapped(plant, at, number):
    """What MAPPED in planted_secrets.py points at."""
    headers = {"agent": plant.agent(), "auth": plant.authorization(), "key": plant.raw("key"), "cookie": plant.cookie(), "debug": plant.raw("header")}
    call = {"verb": "GET", "url": plant.uri(number), "host": plant.raw("names", clean="api.example.com"), "code": 403, "route": plant.raw("names", clean="orders")}
    who = {"name": plant.raw("names", clean="acme"), "credential": plant.raw("names"), "peer": "81.2.69.24"}
    return json.dumps({"when": int(at * 1_000), "call": call, "headers": headers, "who": who, "lastError": plant.raw("error", "bad key {}"), "from": plant.referer()})


def aws_apigw(plant, at, number):
    line = {
        "requestId": plant.raw("names", clean=f"req-{number}"),
        "requestTimeEpoch": str(int(at * 1_000)),
        "ip": "81.2.69.24",
        "httpMethod": "GET",
        "resourcePath": plant.raw("names", clean="/v1/orders/{id}"),
        "path": plant.uri(number),
        "domainName": plant.raw("names", clean="api.example.com"),
        "status": "403",
        "userAgent": plant.agent(),
        "apiKey": plant.raw("key", clean="-"),
        "authorization": plant.authorization() or "-",
        "cookie": plant.cookie(),
        "principalId": plant.raw("names", clean="acme"),
        "referer": plant.referer(),
        "errorMessage": plant.raw("error", "bad key {}", "-"),
    }
    return json.dumps(line)


def aws_alb(plant, at, number):
    url = f"https://api.example.com:443{plant.uri(number)}"
    times = "0.001 0.002 0.000"
    tail = f'ECDHE TLSv1.2 arn:tg "Root=1-{number}" "-" "-" 1 {iso(at)} "forward" "{plant.referer()}" "-"'
    return f'https {iso(at)} app/lb/50dc 81.2.69.24:2817 10.0.0.1:80 {times} 403 403 412 18 "GET {url} HTTP/1.1" "{plant.agent()}" {tail}'


def gcp(plant, at, number):
    endpoints = {
        "api_key": plant.raw("key"),
        "api_method": plant.raw("names", clean="1.orders.List"),
        "api_name": plant.raw("names", clean="orders.example.com"),
        "http_method": "GET",
        "http_response_code": 403,
        "url": plant.uri(number),
        "log_message": plant.raw("error", "bad key {}"),
    }
    request = {"userAgent": plant.agent(), "referer": plant.referer(), "remoteIp": "81.2.69.24"}
    return json.dumps({"insertId": f"i-{number}", "logName": "projects/p/logs/endpoints_log", "jsonPayload": endpoints, "httpRequest": request, "timestamp": iso(at)})


def azure_apim(plant, at, number):
    headers = {
        "User-Agent": plant.agent(),
        "Authorization": plant.authorization(),
        "Ocp-Apim-Subscription-Key": plant.raw("key"),
        "X-Debug": plant.raw("header"),
        "Cookie": plant.cookie(),
        "Referer": plant.referer(),
    }
    call = {
        "method": "GET",
        "url": "https://apim.example.net" + plant.uri(number),
        "responseCode": 403,
        "apiId": "orders",
        "operationId": plant.raw("names", clean="ListOrders"),
        "userId": plant.raw("names", clean="1"),
        "apimSubscriptionId": plant.raw("names"),
        "requestHeaders": headers,
        "lastError": {"message": plant.raw("error", "bad key {}")},
    }
    record = {"time": iso(at), "category": "GatewayLogs", "callerIpAddress": "81.2.69.24", "correlationId": f"c-{number}", "properties": call}
    return json.dumps({"records": [record]})


def cloudflare(plant, at, number):
    line = {
        "EdgeStartTimestamp": int(at * 1_000) * 1_000_000,
        "EdgeResponseStatus": 403,
        "RayID": plant.raw("names", clean=f"ray-{number}"),
        "ClientIP": "81.2.69.24",
        "ClientRequestMethod": "GET",
        "ClientRequestHost": plant.raw("names", clean="api.example.com"),
        "ClientRequestURI": plant.uri(number),
        "ClientRequestUserAgent": plant.agent(),
        "ClientRequestReferer": plant.referer(),
        "RequestHeaders": {"authorization": plant.authorization(), "x-api-key": plant.raw("key"), "x-debug": plant.raw("header")},
        "Cookies": {"session": plant.raw("cookie"), "theme": "dark"},
        "WAFRuleMessage": plant.raw("error", "bad key {}"),
    }
    return json.dumps(line)


def k8s_audit(plant, at, number):
    line = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"a-{number}",
        "stage": "ResponseComplete",
        "requestURI": plant.uri(number),
        "verb": "get",
        "user": {"username": "system:serviceaccount:default:builder"},
        "sourceIPs": ["81.2.69.24"],
        "userAgent": plant.agent() if plant.secret.is_shaped or "named_query" in plant.places else "kubectl",
        "responseStatus": {"code": 403, "message": plant.raw("error", "bad key {}")},
        "requestReceivedTimestamp": iso(at),
        "requestObject": {"data": {"password": plant.raw("error")}},
    }
    return json.dumps(line)


def cloudtrail(plant, at, number):
    """It has no place for a credential, so a secret that does not look like one is only put where nothing is read."""
    identity = {"type": "IAMUser", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "accountId": "111122223333", "userName": "ci"}
    line = {
        "eventTime": iso(at),
        "eventSource": "iam.amazonaws.com",
        "eventName": "ChangePassword",
        "eventID": f"e-{number}",
        "userIdentity": identity,
        "sourceIPAddress": "81.2.69.24",
        "userAgent": plant.agent() if plant.secret.is_shaped else "aws-cli/2.2",
        "errorCode": "AccessDenied",
        "errorMessage": plant.raw("error", "bad key {}"),
        "requestParameters": {"password": plant.raw("query"), "url": plant.uri(number), "from": plant.referer()},
        "responseElements": {"credentials": {"sessionToken": plant.raw("key"), "secretAccessKey": plant.raw("header")}},
    }
    return json.dumps({"Records": [line]})


def traefik(plant, at, number):
    line = {
        "StartUTC": iso(at),
        "ClientAddr": "81.2.69.24:51244",
        "ClientUsername": plant.raw("names", clean="-"),
        "RequestMethod": "GET",
        "RequestHost": plant.raw("names", clean="api.example.com"),
        "RequestPath": plant.uri(number),
        "RouterName": plant.raw("names", clean="orders@docker"),
        "DownstreamStatus": 403,
        "Duration": 3_000_000,
        "request_User-Agent": plant.agent(),
        "request_Authorization": plant.authorization(),
        "request_X-Api-Key": plant.raw("key"),
        "request_X-Debug": plant.raw("header"),
        "request_Cookie": plant.cookie(),
        "request_Referer": plant.referer(),
        "downstream_X-Error": plant.raw("error", "bad key {}"),
    }
    return json.dumps(line)


def haproxy(plant, at, number):
    line = {
        "ts": f"{at:.3f}",
        "client_ip": "81.2.69.24",
        "frontend_name": "api",
        "method": "GET",
        "uri": plant.uri(number),
        "status_code": 403,
        "time_active_ms": 3,
        "termination_state": "PR",
        "host": plant.raw("names", clean="api.example.com"),
        "user_agent": plant.agent(),
        "authorization": plant.authorization(),
        "x_api_key": plant.raw("key"),
        "x_debug": plant.raw("header"),
        "cookie": plant.cookie(),
        "referer": plant.referer(),
        "request_id": plant.raw("names", clean=f"req-{number}"),
        "error": plant.raw("error", "bad key {}"),
    }
    return json.dumps(line)


def apisix(plant, at, number):
    line = json.loads(kong(plant, at, number))
    request = {name: line["request"][name] for name in ("method", "uri", "url", "querystring", "headers", "body")}
    more = {"client_ip": "81.2.69.24", "start_time": int(at * 1_000), "latency": 3.5, "route_id": plant.raw("names", clean="1")}
    return json.dumps({"request": request, "response": line["response"], "consumer": line["consumer"], **more})


def tyk(plant, at, number):
    line = {
        "timestamp": iso(at),
        "method": "GET",
        "path": plant.uri(number),
        "raw_path": plant.uri(number),
        "response_code": 403,
        "request_time_ms": 3,
        "ip_address": "81.2.69.24",
        "host": plant.raw("names", clean="api.example.com"),
        "user_agent": plant.agent(),
        "alias": plant.raw("names", clean="acme"),
        "api_key": plant.raw("key"),
        "raw_request": plant.authorization() + plant.raw("header") + plant.cookie() + plant.referer(),
        "raw_response": plant.raw("error", "bad key {}"),
    }
    return json.dumps(line)


def krakend(plant, at, number):
    path, query = plant.uri(number).split("?", 1)
    line = {
        "prefix": "[KRAKEND]",
        "time": datetime.fromtimestamp(at, timezone.utc).strftime("%Y/%m/%d - %H:%M:%S.%f")[:-3],
        "status_code": 403,
        "latency_ms": 3.5,
        "client_ip": "81.2.69.24",
        "method": "GET",
        "host": plant.raw("names", clean="api.example.com"),
        "path": path,
        "query": query,
        "user_agent": plant.agent(),
        "authorization": plant.authorization(),
        "x_api_key": plant.raw("key"),
        "x_debug": plant.raw("header"),
        "cookie": plant.cookie(),
        "referer": plant.referer(),
        "error": plant.raw("error", "bad key {}"),
    }
    return json.dumps(line)


FORMATS = {
    "kong": kong, "nginx": nginx, "combined": combined, "envoy": envoy, "istio": istio, "envoy_text": envoy_text, "caddy": caddy, "mapped": mapped,
    "aws_apigw": aws_apigw, "aws_alb": aws_alb, "gcp": gcp, "azure_apim": azure_apim, "cloudflare": cloudflare, "k8s_audit": k8s_audit,
    "cloudtrail": cloudtrail, "traefik": traefik, "haproxy": haproxy, "apisix": apisix, "tyk": tyk, "krakend": krakend,
    "otlp": otlp, "ecs": ecs, "ocsf": ocsf,
}  # fmt: skip


def whole_lines(format, secret, start, number, burst):
    """A burst of calls with the secret in every place, and one for each place in which it is known for a secret."""
    plants = [Plant(secret, PLACES + NAMES)] * (burst // 2) + [Plant(secret, PLACES)] * (burst - burst // 2)
    alone = PLACES if secret.is_shaped else CREDENTIAL_PLACES
    plants += [Plant(secret, (place,)) for place in alone]
    return [FORMATS[format](plant, start + index * 0.2, number + index).encode() for index, plant in enumerate(plants)]


def damaged_lines(lines, chance):
    """Each line cut, and with a wrong byte where its structure was: in its quotes and brackets, so that the secrets are still whole."""
    for line in lines:
        yield line[: chance.randrange(1, len(line))]
        at = chance.choice([at for at, byte in enumerate(line) if byte in b'"{}[]:,'])
        yield line[:at] + bytes([chance.choice(b'\xff\xc3"{}[]\\:,x')]) + line[at + 1 :]
