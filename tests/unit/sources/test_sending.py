"""Outbound halves: the recorded requests are made, the recorded answers understood."""

import json
from typing import Any

import jwt
import pytest
from _pytest.mark.structures import ParameterSet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model.ids import MessageId, parse_id
from airy_ray.sources.facebook_sending import FacebookSending
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.sending import (
    Authorized,
    Later,
    Outbound,
    Refused,
    Reply,
    Sending,
    Taken,
    retry_after_s,
)
from airy_ray.sources.whatsapp_sending import WhatsappSending
from tests import manifests

OURS = "4e8d0f6a-6d7c-4f5e-9a55-0d8a1f0c0001"
NOW = Millis(1_763_712_000_000)
FACEBOOK = FacebookSending("https://graph.facebook.com/", "v25.0", True, 300.0)
GOOGLE = GoogleSending(
    "https://businessmessages.googleapis.com", "https://rcsbusinessmessaging.googleapis.com", None
)
SENDINGS: dict[str, Sending] = {
    "facebook": FACEBOOK,
    "instagram": FACEBOOK,
    "google": GOOGLE,
    "whatsapp": WhatsappSending("https://graph.facebook.com/", "v25.0"),
}
CHANNELS = {"rcs": "welcome-bot@rbm.goog", "whatsapp": "106540352242922"}
OUTBOUND = [
    (source, each) for source in SENDINGS for each in manifests.manifest(source)["outbound"]
]


def params(outbound: list[tuple[str, Any]]) -> list[ParameterSet]:
    return [pytest.param(*each, id=f"{each[0]}/{each[1]['file']}") for each in outbound]


def outbound(content: str = '{"text":"Hi"}', **named: Any) -> Outbound:
    told: dict[str, Any] = {
        "message_id": MessageId(parse_id(OURS)),
        "content": content.encode(),
        "recipient": "4383398935030571",
        "channel": "a-channel",
        "token": "a-token",
        "at": NOW,
    }
    return Outbound(**(told | named))


@pytest.mark.parametrize(("source", "recorded"), params(OUTBOUND))
def test_recorded_answers_are_understood(source: str, recorded: dict[str, Any]) -> None:
    body = manifests.body(source, recorded["file"])
    verdict = SENDINGS[source].read(outbound(), Reply(recorded["http_status"], body))
    expected = recorded["expected"]["metadata"]

    if recorded["expected"]["delivery_state"] == "DELIVERED":
        assert verdict == Taken(expected["source.id"])
    else:
        kind = Later if recorded["expected"]["transient"] else Refused
        assert isinstance(verdict, kind)
        assert (verdict.reason, verdict.answer) == (expected["error"], body.decode())


@pytest.mark.parametrize(
    ("source", "recorded"), params([each for each in OUTBOUND if "request" in each[1]])
)
def test_recorded_requests_are_made(source: str, recorded: dict[str, Any]) -> None:
    request = recorded["request"]
    is_rcs = recorded["file"].startswith("rcs")
    recipients = {
        "facebook": "4383398935030571",
        "google": "+12223334444" if is_rcs else "4ab1c2d3-aaaa-4bbb-8ccc-0d0e0f000001",
        "whatsapp": "16505551234",
    }
    message = outbound(
        json.dumps(request["content"]),
        recipient=recipients[source],
        channel=CHANNELS.get("rcs" if is_rcs else source, "a-channel"),
        heard_at=Millis(NOW - 1_000 * request.get("last_inbound_age_s", 60)),
        is_by_person=True,
    )
    [call] = SENDINGS[source].calls(message)

    assert (call.method, call.url) == (request["method"], request["url"])
    assert json.loads(call.body) == json.loads(manifests.body(source, request["body_file"]))
    assert call.headers == {
        "authorization": "Bearer a-token",
        "content-type": "application/json",
    }


CONTENT = '{"text":"\\ud83d lone","n":1.50,"big":12345678901234567890,"z":1e400}'


@pytest.mark.parametrize("sending", [FACEBOOK, GOOGLE])
@pytest.mark.parametrize("channel", ["a-channel", "bot@rbm.goog"])
def test_content_goes_as_it_was_given(sending: Sending, channel: str) -> None:
    [call] = sending.calls(outbound(CONTENT, channel=channel))

    for part in ('"text":"\\ud83d lone"', '"n":1.50', '"big":12345678901234567890', '"z":1e400'):
        assert part.encode() in call.body


@pytest.mark.parametrize(
    ("age_s", "fields", "tag"),
    [
        (86_400, {}, "RESPONSE"),
        (86_401, {}, "MESSAGE_TAG"),
        (7 * 86_400, {}, "MESSAGE_TAG"),
        (7 * 86_400 + 1, {}, "RESPONSE"),
        (90_000, {"is_by_person": False}, "RESPONSE"),
        (None, {}, "RESPONSE"),
    ],
)
def test_people_may_answer_for_a_week(age_s: int | None, fields: dict[str, Any], tag: str) -> None:
    heard_at = None if age_s is None else Millis(NOW - age_s * 1_000)
    message = outbound(**{"heard_at": heard_at, "is_by_person": True, **fields})
    [call] = FACEBOOK.calls(message)

    assert json.loads(call.body)["messaging_type"] == tag


def test_without_the_right_to_it_nothing_is_tagged() -> None:
    plain = FacebookSending("https://g", "v25.0", False, 300.0)
    [call] = plain.calls(outbound(heard_at=Millis(NOW - 90_000_000), is_by_person=True))
    assert json.loads(call.body)["messaging_type"] == "RESPONSE"


@pytest.mark.parametrize(
    ("content", "per_s"),
    [
        ('{"text":"Hi"}', 300.0),
        ('{"attachment":{"type":"image"}}', 300.0),
        ('{"attachment":{"type":"video"}}', 10.0),
        ('{"attachment":"video"}', 300.0),
        ("17", 300.0),
    ],
)
def test_sound_and_film_are_sent_more_slowly(content: str, per_s: float) -> None:
    assert FACEBOOK.pace(content.encode()).per_s == per_s


def test_what_is_no_object_cannot_be_sent_to_google() -> None:
    with pytest.raises(DeliveryError, match="Malformed message"):
        GOOGLE.calls(outbound('"Hi"'))


def test_a_representative_that_was_given_stays() -> None:
    [call] = GOOGLE.calls(outbound('{"text":"Hi","representative":{"representativeType":"BOT"}}'))
    assert json.loads(call.body)["representative"] == {"representativeType": "BOT"}


def test_ids_cannot_lead_elsewhere() -> None:
    [call] = GOOGLE.calls(outbound(recipient="../x?y#z"))
    assert call.url.endswith("/v1/conversations/..%2Fx%3Fy%23z/messages")


def test_a_token_of_google_is_asked_for_with_our_key() -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {"client_email": "me@x.iam", "private_key": pem.decode(), "token_uri": "https://t"}
    google = GoogleSending("https://a", "https://b", json.dumps(account))
    scopes = set()
    for channel in ("an-agent", "bot@rbm.goog"):
        call = google.authorization(channel, NOW)
        assert call is not None
        assert (call.method, call.url) == ("POST", "https://t")
        assertion = call.body.decode().partition("assertion=")[2]
        claims = jwt.decode(
            assertion,
            key.public_key(),
            algorithms=["RS256"],
            audience="https://t",
            options={"verify_exp": False, "verify_iat": False},
        )
        assert (claims["iss"], claims["exp"] - claims["iat"]) == ("me@x.iam", 3_600)
        assert claims["iat"] == NOW // 1_000
        scopes.add(claims["scope"].rpartition("/")[2])
    assert scopes == {"businessmessages", "rcsbusinessmessaging"}


@pytest.mark.parametrize("account", [None, "{}", "no JSON", '{"client_email":"a"}'])
def test_without_a_service_account_nothing_is_sent(account: str | None) -> None:
    with pytest.raises(DeliveryError, match=r"sources\.google\.sa_file"):
        GoogleSending("https://a", "https://b", account).authorization("an-agent", NOW)


def test_a_key_that_is_none_is_told() -> None:
    account = '{"client_email":"a","private_key":"b"}'
    with pytest.raises(DeliveryError, match="the private key is no key"):
        GoogleSending("https://a", "https://b", account).authorization("an-agent", NOW)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"access_token": "t", "expires_in": 3599}, Authorized("t", 3_599.0)),
        (
            400,
            {"error": "invalid_grant", "error_description": "Invalid JWT"},
            Refused("Invalid JWT", '{"error":"invalid_grant","error_description":"Invalid JWT"}'),
        ),
        (503, {}, Later("Api replied with status code 503 and payload {}", "{}")),
    ],
)
def test_what_came_of_asking_for_a_token(status: int, body: Any, expected: Any) -> None:
    reply = Reply(status, json.dumps(body, separators=(",", ":")).encode())
    assert GOOGLE.authorized(reply) == expected


@pytest.mark.parametrize(
    ("asked", "after_s"),
    [("7", 7.0), (" 7 ", 7.0), ("99999", 3_600.0), ("-1", None), ("", None), ("soon", None)],
)
def test_how_long_a_platform_asks_to_wait(asked: str, after_s: float | None) -> None:
    reply = Reply(429, b"", {"retry-after": asked})
    assert retry_after_s(reply) == after_s
    assert isinstance(FACEBOOK.read(outbound(), reply), Later)


@pytest.mark.parametrize("code", ["613", [613], {"a": 1}, None, 613.5])
def test_codes_of_another_form_say_nothing(code: Any) -> None:
    body = json.dumps({"error": {"message": "no", "code": code, "error_subcode": code}}).encode()
    assert FACEBOOK.read(outbound(), Reply(400, body)) == Refused("no", body.decode())


@given(st.integers(100, 599), st.binary(max_size=200))
@pytest.mark.parametrize("source", ["facebook", "google", "whatsapp"])
def test_whatever_a_platform_answers_has_a_meaning(source: str, status: int, body: bytes) -> None:
    verdict = SENDINGS[source].read(outbound(), Reply(status, body))

    assert isinstance(verdict, Taken) == (status == 200)
    assert isinstance(verdict, Later) or status < 500
