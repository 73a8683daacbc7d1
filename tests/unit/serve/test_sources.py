"""Who manages custom sources, who speaks for one, and what may be asked."""

import jwt
import pytest

from airy_ray.clock import Millis
from airy_ray.errors import RequestError
from airy_ray.model.custom_source import CustomSource
from airy_ray.serve.api import sources, webhook_subscriptions
from airy_ray.serve.api.callers import ANYBODY, Callers, Grant
from airy_ray.serve.api.endpoint import Endpoint, parsed
from airy_ray.serve.api.sources import absolute_url
from airy_ray.serve.api.tokens import Tokens

TOKENS = Tokens("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==")
SOURCE = CustomSource("crm", bytes(15) + b"\x01", Millis(1_763_712_000_999))
TOKEN_ID = "00000000-0000-0000-0000-000000000001"
TOKEN = TOKENS.source(SOURCE)
ENDPOINTS = {
    endpoint.path: endpoint for endpoint in (*sources.ENDPOINTS, *webhook_subscriptions.ENDPOINTS)
}


def test_the_token_of_a_source_is_as_the_contract_has_it_and_can_be_made_again() -> None:
    claims = jwt.decode(TOKEN, options={"verify_signature": False})

    assert claims == {
        "jti": TOKEN_ID,
        "sub": "source_app:crm",
        "iat": 1_763_712_000,
        "principal": '{"name":"source_app:crm","data":{"source":"crm"},"roles":null}',
    }
    assert TOKENS.source(SOURCE) == TOKEN


@pytest.mark.parametrize("callers", [Callers(None, TOKENS), Callers("system", TOKENS)])
@pytest.mark.parametrize("authorization", [TOKEN, f"Bearer {TOKEN}"])
def test_a_source_is_known_by_its_token_with_and_without_authentication(
    callers: Callers, authorization: str
) -> None:
    grant = callers.source({"authorization": authorization})

    assert grant is not None
    assert (grant.principal, grant.source, grant.token_id) == ("source_app:crm", "crm", TOKEN_ID)


@pytest.mark.parametrize("authorization", [None, "", "system", "Bearer x", TOKEN[:-4]])
def test_nobody_else_speaks_for_a_source(authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}

    assert Callers("system", TOKENS).source(headers) is None


@pytest.mark.parametrize(
    ("grant", "may"),
    [
        (ANYBODY, True),
        (Grant("system-token-syst", "system"), True),
        (Grant("token:crm", "token"), True),
        (Grant("a program", "program"), True),
        (Grant("source_app:crm", "program", source="crm"), False),
        (Grant("github:1", "person", is_session=True), False),
        (Grant("github:1", "person"), False),
    ],
)
def test_sources_are_managed_by_programs_only(grant: Grant, may: bool) -> None:
    assert sources.may_manage(grant) is may


@pytest.mark.parametrize("url", ["https://example.org/hook", "http://10.0.0.1:8080", None])
def test_an_absolute_url_is_taken(url: str | None) -> None:
    assert absolute_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "/hook",
        "ftp://example.org",
        "http://",
        "http://a:b",
        "http://[",
        "http://a\n",
    ],
)
def test_anything_else_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        absolute_url(url)


def refused(path: str, body: bytes) -> int:
    endpoint: Endpoint = ENDPOINTS[path]
    with pytest.raises(RequestError) as error:
        parsed(endpoint, body)
    return error.value.status


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sources.create", b"{}"),
        ("/sources.create", b'{"source_id":"facebook"}'),
        ("/sources.create", b'{"source_id":"a b"}'),
        ("/sources.create", b'{"source_id":"crm","action_endpoint":"nowhere"}'),
        ("/sources.create", b'{"source_id":"crm","action_endpoint":5}'),
        ("/sources.channels.create", b'{"source_channel_id":"shop"}'),
        ("/sources.channels.create", b'{"source_channel_id":"shop","name":"S","metadata":[]}'),
        ("/sources.webhook", b'{"messages":null}'),
        ("/sources.webhook", b'{"messages":[{}]}'),
        ("/sources.webhook", b"[]"),
        ("/webhooks.subscribe", b"{}"),
        ("/webhooks.subscribe", b'{"url":"nowhere"}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","events":["x"]}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","signature_key":"whsec_!"}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","headers":{"a b":"c"}}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","headers":{"a":"c\\nd: e"}}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","headers":{"Webhook-Id":"c"}}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","filter":"("}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","filter":"id:/a+/"}'),
        ("/webhooks.subscribe", b'{"url":"https://a.org","start":"yesterday"}'),
        ("/webhooks.update", b'{"url":"https://a.org"}'),
        ("/webhooks.rotate-key", b'{"id":"0000e8b3-4535-8d5b-a20e-3b36d709dd8b"}'),
        ("/webhooks.replay", b'{"id":"0000e8b3-4535-8d5b-a20e-3b36d709dd8b"}'),
        (
            "/webhooks.replay",
            b'{"id":"0000e8b3-4535-8d5b-a20e-3b36d709dd8b","event_id":"a","since":"2025-01-01T00:00Z"}',
        ),
        ("/webhooks.info", b'{"id":"x"}'),
    ],
)
def test_what_is_wrong_is_refused(path: str, body: bytes) -> None:
    assert refused(path, body) == 400


def test_a_webhook_is_asked_for_as_the_control_center_does() -> None:
    body = b'{"id":"","url":"https://a.org","events":["message.created"],"headers":{},"signatureKey":""}'
    asked = parsed(ENDPOINTS["/webhooks.subscribe"], body)

    assert isinstance(asked, webhook_subscriptions.NewWebhook)
    assert (asked.id, asked.signature_key, asked.events) == (None, None, ["message.created"])
