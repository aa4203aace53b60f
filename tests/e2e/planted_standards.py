"""Lines of the standards that no single gateway writes, for planted.py."""

import json
from datetime import datetime, timezone


def iso(at):
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def headers(plant):
    return {
        "authorization": plant.authorization(),
        "x-api-key": plant.raw("key"),
        "x-debug": plant.raw("header"),
        "cookie": plant.cookie(),
        "referer": plant.referer(),
    }


def otlp(plant, at, number):
    attributes = {
        "http.request.method": "GET",
        "url.full": "https://api.example.com" + plant.uri(number),
        "client.address": "81.2.69.24",
        "user_agent.original": plant.agent(),
        "http.route": plant.raw("names", clean="/v1/orders/{id}"),
        "enduser.id": plant.raw("names", clean="acme"),
        "error.message": plant.raw("error", "bad key {}"),
        **{f"http.request.header.{name}": value for name, value in headers(plant).items()},
    }
    listed = [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items()]
    listed.append({"key": "http.response.status_code", "value": {"intValue": "403"}})
    record = {"timeUnixNano": str(int(at * 1_000) * 1_000_000), "body": {"stringValue": plant.raw("error", "bad key {}")}, "attributes": listed}
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})


def ecs(plant, at, number):
    request = {"method": "GET", "id": plant.raw("names", clean=f"req-{number}"), "headers": headers(plant)}
    line = {
        "@timestamp": iso(at),
        "ecs": {"version": "8.11.0"},
        "http": {"request": request, "response": {"status_code": 403}},
        "url": {"original": plant.uri(number), "domain": plant.raw("names", clean="api.example.com")},
        "client": {"ip": "81.2.69.24"},
        "user_agent": {"original": plant.agent()},
        "user": {"name": plant.raw("names", clean="acme")},
        "error": {"message": plant.raw("error", "bad key {}")},
        "message": plant.raw("error", "bad key {}"),
    }
    return json.dumps(line)


def ocsf(plant, at, number):
    request = {
        "http_method": "GET",
        "url": {"url_string": "https://api.example.com" + plant.uri(number)},
        "user_agent": plant.agent(),
        "http_headers": [{"name": name, "value": value} for name, value in headers(plant).items()],
    }
    line = {
        "class_uid": 6003,
        "activity_id": 2,
        "time": int(at * 1_000),
        "actor": {"user": {"name": plant.raw("names", clean="acme"), "credential_uid": plant.raw("names", clean="key-1")}},
        "api": {"operation": plant.raw("names", clean="ListOrders"), "response": {"code": 403, "message": plant.raw("error", "bad key {}")}},
        "src_endpoint": {"ip": "81.2.69.24"},
        "http_request": request,
    }
    return json.dumps(line)
