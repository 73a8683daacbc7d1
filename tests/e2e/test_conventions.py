"""How every endpoint is called and answers (contract: platform API §1, §2.7, §7.13, §7.16)."""

from typing import Any

import httpx
import pytest

from tests.e2e.client import Client

ENDPOINTS = (
    "/channels.list",
    "/channels.info",
    "/channels.update",
    "/channels.chatplugin.connect",
    "/channels.chatplugin.disconnect",
    "/channels.facebook.connect",
    "/channels.facebook.disconnect",
    "/channels.instagram.connect",
    "/channels.instagram.disconnect",
    "/channels.google.connect",
    "/channels.google.disconnect",
    "/channels.facebook.explore",
    "/facebook.channels.explore",
    "/channels.whatsapp.connect",
    "/channels.whatsapp.disconnect",
    "/channels.twilio.sms.connect",
    "/channels.twilio.sms.disconnect",
    "/channels.twilio.whatsapp.connect",
    "/channels.twilio.whatsapp.disconnect",
    "/channels.viber.connect",
    "/channels.viber.disconnect",
    "/channels.telegram.connect",
    "/channels.telegram.disconnect",
    "/chatplugin.authenticate",
    "/chatplugin.resumeToken",
    "/chatplugin.send",
    "/client.config",
    "/components.get",
    "/components.list",
    "/conversations.list",
    "/conversations.info",
    "/conversations.mark-read",
    "/messages.list",
)
EMPTY_IS_FINE = (
    "/channels.list",
    "/channels.viber.connect",
    "/client.config",
    "/components.get",
    "/components.list",
    "/conversations.list",
)
CLIENT_HEADERS = {
    "accept": "application/json",
    "x-requested-with": "XMLHttpRequest",
    "content-type": "application/json",
}
"""What the reference's HTTP client sends with each call."""


@pytest.mark.parametrize("path", EMPTY_IS_FINE)
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_who_asks_for_nothing_may_send_nothing(path: str, body: bytes, client: Client) -> None:
    response = client.http.post(path, content=body, headers=CLIENT_HEADERS)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert isinstance(response.json(), dict)


@pytest.mark.parametrize(
    "path", [path for path in ENDPOINTS if path not in (*EMPTY_IS_FINE, "/chatplugin.resumeToken")]
)
def test_who_has_to_say_something_must_not_send_nothing(path: str, client: Client) -> None:
    response = client.http.post(path, headers=CLIENT_HEADERS | {"authorization": "Bearer a"})

    assert response.status_code in (400, 401)
    assert list(response.json()) == ["message"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_an_endpoint_is_called_with_post_only(path: str, method: str, client: Client) -> None:
    response = client.http.request(method, path)

    assert response.status_code == 405
    assert list(response.json()) == ["message"]


def test_an_endpoint_asked_for_its_head_is_called_with_post_only(client: Client) -> None:
    assert client.http.head("/channels.list").status_code == 405


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_has_to_be_json(path: str, content_type: str, client: Client) -> None:
    response = client.post_bytes(path, b'{"name":"a"}', content_type=content_type)

    assert response.status_code == 415
    assert list(response.json()) == ["message"]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json"]
)
def test_json_may_be_spelled_in_its_ways(content_type: str, client: Client) -> None:
    response = client.post_bytes("/channels.list", b"{}", content_type=content_type)

    assert response.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/channels",
        "/channels.list/",
        "/channels.connect",
        "/streams.list",
        "/kafka/topics",
        "/conversations.list%00",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/actuator",
        "/webhooks/nothing",
        "/webhooks/",
        "/" + "x" * 4_000,
    ],
)
def test_what_does_not_exist_is_not_found(path: str, client: Client) -> None:
    assert client.http.get(path).status_code == 404
    assert client.post(path, {}).status_code == 404


def preflight(client: Client, path: str, origin: str, headers: str) -> httpx.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": headers,
    }
    return client.http.options(path, headers=asked)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/conversations.list", "content-type,x-requested-with"),
        ("/chatplugin.authenticate", "content-type"),
        ("/chatplugin.send", "authorization,content-type"),
        ("/chatplugin.resumeToken", "authorization,content-type"),
    ],
)
@pytest.mark.parametrize("origin", ["https://inbox.example.org", "https://shop.example.com"])
def test_pages_of_allowed_origins_may_call(
    path: str, headers: str, origin: str, client: Client
) -> None:
    response = preflight(client, path, origin, headers)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["access-control-allow-headers"] == headers
    assert {"GET", "POST"} == set(response.headers["access-control-allow-methods"].split(", "))


@pytest.mark.parametrize("origin", ["https://evil.test", "https://example.com", "null"])
def test_pages_of_other_origins_may_not_call(origin: str, client: Client) -> None:
    asked = preflight(client, "/conversations.list", origin, "content-type")
    called = client.http.post("/channels.list", headers={"origin": origin})

    assert (asked.status_code, called.status_code) == (403, 403)
    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in called.headers


def test_a_page_of_the_platform_itself_may_call(client: Client) -> None:
    assert client.post("/channels.list", origin=client.url).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/channels.list", 200), ("/channels.info", 400), ("/nothing", 404)],
)
def test_a_page_may_read_every_answer(path: str, status: int, client: Client) -> None:
    response = client.http.post(path, headers={"origin": "https://inbox.example.org"})

    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == "https://inbox.example.org"
    assert response.headers["vary"].lower() == "origin"


def test_the_configuration_is_what_the_user_interfaces_ask_for(client: Client) -> None:
    config = client.call("/client.config")

    assert sorted(config) == ["cluster_version", "services", "tag_config", "user_profile"]
    assert config["user_profile"] is None
    assert isinstance(config["cluster_version"], str)
    assert all(service_is_complete(each) for each in config["services"].values())
    assert {"api-communication", "api-admin", "unread-counter", "sources-chatplugin"} <= set(
        config["services"]
    )
    assert config["tag_config"] == {"colors": COLORS}


NOT_CONFIGURED = {
    "rasa-connector",
    "cognigy-connector",
    "ibm-watson-assistant-connector",
    "openai-connector",
}


def service_is_complete(service: Any) -> bool:
    return bool(
        sorted(service) == ["component", "enabled", "healthy"]
        and isinstance(service["component"], str)
        and service["healthy"] is True
        and service["enabled"] is (service["component"] not in NOT_CONFIGURED)
    )


COLORS = {
    name: {
        "default": color,
        "background": background,
        "font": color,
        "position": position,
        "border": color,
    }
    for name, color, background, position in [
        ("tag-green", "0E764F", "F5FFFB", 3),
        ("tag-blue", "1578D4", "F5FFFB", 1),
        ("tag-red", "E0243A", "FFF7F9", 2),
        ("tag-purple", "730A80", "FEF7FF", 4),
    ]
}


def test_health_is_told_to_everybody(client: Client) -> None:
    response = client.http.get("/actuator/health")

    assert (response.status_code, response.json()) == (200, {"status": "UP"})


def test_prometheus_reads_what_was_counted(client: Client) -> None:
    client.http.post("/webhooks/google", content=b"unsigned")
    text = client.metrics()

    assert 'airy_webhook_requests_total{hook="google",status="403"}' in text
    assert 'airy_webhook_seconds_bucket{le="0.001"}' in text
    assert set(client.heads()) == {"00", "01", "02", "03", "registry"}
    for name in ("airy_log_lag", "airy_rows", "airy_rebuilding"):
        assert f'{name}{{partition="00"' in text


def test_the_documentation_describes_every_endpoint(client: Client) -> None:
    described = client.http.get("/openapi.json").json()
    page = client.http.get("/docs")

    assert set(described["paths"]) >= set(ENDPOINTS)
    assert all(list(described["paths"][path]) == ["post"] for path in ENDPOINTS)
    assert {"/media.upload", "/media.uploadFile", "/media/{name}"} <= set(described["paths"])
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
