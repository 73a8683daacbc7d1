"""Who may call the API when authentication is on (contract: platform API §2)."""

from base64 import b64decode
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running


@pytest.mark.parametrize("authorization", [SYSTEM_TOKEN, f"Bearer {SYSTEM_TOKEN}"])
def test_who_has_the_system_token_may_call(authorization: str, guarded: Running) -> None:
    with Client(guarded.url) as client:
        assert client.post("/channels.list", authorization=authorization).status_code == 200


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x", "Basic YTpi"])
@pytest.mark.parametrize("path", ["/channels.list", "/client.config", "/nothing"])
def test_who_has_no_token_may_not_call(
    path: str, authorization: str | None, guarded: Running
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    with Client(guarded.url) as client:
        response = client.post(path, **headers)

    assert (response.status_code, response.content) == (403, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/actuator/health", 200),
        ("/actuator/prometheus", 200),
        ("/openapi.json", 200),
        ("/facebook", 403),
    ],
)
def test_health_metrics_and_webhooks_need_no_token(
    path: str, status: int, guarded: Running
) -> None:
    assert httpx.get(guarded.url + path).status_code == status


def token(key: bytes = b64decode(platforms.JWT_SECRET), **claims: Any) -> str:
    principal = '{"id":"github:1","name":"Ada","avatarUrl":null}'
    return jwt.encode({"sub": "Ada", "principal": principal} | claims, key, "HS256")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param(token(), 200, id="a user's"),
        pytest.param(token(principal='{"name":"source_app:crm"}'), 200, id="a program's"),
        pytest.param(token(exp=4_000_000_000), 200, id="good for a while"),
        pytest.param(token(exp=1), 403, id="expired"),
        pytest.param(token(b"another key, which is as long as it should"), 403, id="forged"),
        pytest.param(token(principal="no JSON"), 403, id="nobody's"),
    ],
)
def test_a_rightly_signed_token_of_somebody_lets_them_call(
    authorization: str, status: int, guarded: Running
) -> None:
    with Client(guarded.url) as client:
        response = client.post("/channels.list", authorization=f"Bearer {authorization}")

    assert response.status_code == status


def test_a_visitor_needs_no_token_of_the_api_and_has_none(guarded: Running) -> None:
    with Client(guarded.url) as client:
        website = client.call(
            "/channels.chatplugin.connect", {"name": "A website"}, authorization=SYSTEM_TOKEN
        )
        visit = client.call("/chatplugin.authenticate", {"channel_id": website["id"]})
        bearer = f"Bearer {visit['token']}"
        sent = client.post("/chatplugin.send", {"message": {}}, authorization=bearer)
        called = client.post("/channels.list", authorization=bearer)

    assert (sent.status_code, called.status_code) == (200, 403)


def test_the_system_token_makes_tokens_for_coming_back_but_sends_nothing(guarded: Running) -> None:
    asked = {"channel_id": "any", "conversation_id": "any"}
    with Client(guarded.url, {"authorization": f"Bearer {SYSTEM_TOKEN}"}) as client:
        resume = client.call("/chatplugin.resumeToken", asked)
        without = client.post("/chatplugin.resumeToken", {})
        sent = client.post("/chatplugin.send", {"message": {}})

    assert list(resume) == ["resume_token"]
    assert (without.status_code, sent.status_code) == (400, 403)


def test_a_preflight_needs_no_token(guarded: Running) -> None:
    asked = {"origin": "https://a.test", "access-control-request-method": "POST"}

    assert httpx.options(f"{guarded.url}/channels.list", headers=asked).status_code == 200
