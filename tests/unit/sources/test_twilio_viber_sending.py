"""Outbound halves of Twilio and Viber: recorded requests are made, recorded answers understood."""

import json
from base64 import b64encode
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model.ids import MessageId
from airy_ray.sources.sending import Authorized, Later, Outbound, Refused, Reply, Sending, Taken
from airy_ray.sources.twilio_sending import TwilioSending
from airy_ray.sources.viber_sending import ViberSending
from tests import manifests

CONFIG = {source: manifests.manifest(source)["config"] for source in ("twilio.sms", "viber")}
CREDENTIALS = (CONFIG["twilio.sms"]["accountSid"], CONFIG["twilio.sms"]["authToken"])
STATUS_URL = "https://core.example.org/twilio"
SMS = TwilioSending("https://api.twilio.com/", *CREDENTIALS, STATUS_URL)
WHATSAPP = TwilioSending("https://api.twilio.com", *CREDENTIALS, STATUS_URL, is_whatsapp=True)
VIBER = ViberSending("https://chatapi.viber.com/", CONFIG["viber"]["authToken"])
SENDINGS: dict[str, Sending] = {"twilio.sms": SMS, "twilio.whatsapp": WHATSAPP, "viber": VIBER}
ADDRESSES = {
    "twilio.sms": ("+14155550100", "+16505551234"),
    "twilio.whatsapp": ("whatsapp:+14155238886", "whatsapp:+16505551234"),
    "viber": ("pa:75346594275468546724", "9MVsH/2gRPr6pP72Eb6aXw=="),
}
SENDER = '{"name":"Blips and Chitz","avatar":"https://example.org/icon.png"}'
OUTBOUND = [
    (source, each) for source in SENDINGS for each in manifests.manifest(source)["outbound"]
]


def params(outbound: list[tuple[str, Any]]) -> list[ParameterSet]:
    return [pytest.param(*each, id=f"{each[0]}/{each[1]['file']}") for each in outbound]


def outbound(source: str, content: str, recipient: str | None = None) -> Outbound:
    channel, contact = ADDRESSES[source]
    return Outbound(
        MessageId(bytes(16)), content.encode(), recipient or contact, channel, SENDER, Millis(0)
    )


def form_of(content: dict[str, Any]) -> bytes:
    [call] = SMS.calls(outbound("twilio.sms", json.dumps(content)))
    return call.body


@pytest.mark.parametrize(("source", "recorded"), params(OUTBOUND))
def test_recorded_answers_are_understood(source: str, recorded: dict[str, Any]) -> None:
    body = manifests.body(source, recorded["file"])
    verdict = SENDINGS[source].read(outbound(source, "{}"), Reply(recorded["http_status"], body))
    expected = recorded["expected"]["metadata"]

    if recorded["expected"]["delivery_state"] == "DELIVERED":
        assert verdict == Taken(expected["source.id"])
    else:
        kind = Later if recorded["expected"]["transient"] else Refused
        assert verdict == kind(expected["error"], body.decode())


@pytest.mark.parametrize(
    ("source", "recorded"), params([each for each in OUTBOUND if "request" in each[1]])
)
def test_recorded_requests_are_made(source: str, recorded: dict[str, Any]) -> None:
    request = recorded["request"]
    content = json.dumps(request["content"], separators=(",", ":"))
    message = outbound(source, content, request.get("source_recipient_id"))
    [call] = SENDINGS[source].calls(message)
    body = manifests.body(source, request["body_file"])

    assert (call.method, call.url) == (request["method"], request["url"])
    if source == "viber":
        assert json.loads(call.body) == json.loads(body)
        assert call.headers["x-viber-auth-token"] == CONFIG["viber"]["authToken"]
    else:
        assert call.body == body
        basic = b64encode(":".join(CREDENTIALS).encode()).decode()
        assert call.headers["authorization"] == f"Basic {basic}"


@pytest.mark.parametrize("told", manifests.manifest("twilio.sms")["local_errors"])
def test_what_twilio_could_not_send_is_refused_before_it_is_asked(told: dict[str, Any]) -> None:
    with pytest.raises(DeliveryError) as refused:
        form_of(told["content"])

    assert refused.value.reason == told["error"]


@pytest.mark.parametrize("media", [7, ["https://a.example/1", 7], "/a.jpg", "https://[", ""])
def test_media_of_twilio_have_whole_addresses(media: Any) -> None:
    with pytest.raises(DeliveryError):
        form_of({"Body": "see", "MediaUrl": media})


def test_variables_of_a_template_may_be_an_object_or_its_text() -> None:
    variables = {"1": "x"}

    assert form_of({"ContentSid": "H", "ContentVariables": variables}) == form_of(
        {"ContentSid": "H", "ContentVariables": '{"1":"x"}'}
    )


def test_other_fields_and_half_characters_do_not_reach_twilio() -> None:
    assert b"Body=%3F+lone&StatusCallback" in form_of({"Body": "\ud83d lone", "Other": 1})


def test_who_the_bot_is_is_asked_and_said_in_its_messages() -> None:
    call = VIBER.authorization("pa:1", Millis(0))
    told = VIBER.authorized(Reply(200, manifests.body("viber", "api_account_info.json")))

    assert call is not None
    assert call.url == "https://chatapi.viber.com/pa/get_account_info"
    assert told == Authorized(SENDER, 3_600.0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(2, Refused), (12, Later), (24, Refused), (25, Later)],
)
def test_why_viber_does_not_say_who_the_bot_is(status: int, kind: type) -> None:
    body = json.dumps({"status": status, "status_message": "no"}).encode()

    assert VIBER.authorized(Reply(200, body)) == kind("no", body.decode())


@pytest.mark.parametrize("status", [500, 404])
@pytest.mark.parametrize("source", SENDINGS)
def test_an_answer_without_a_text_is_told_as_it_is(source: str, status: int) -> None:
    kind = Later if status == 500 else Refused
    verdict = SENDINGS[source].read(outbound(source, "{}"), Reply(status, b"<html>"))

    assert verdict == kind(f"Api replied with status code {status} and payload <html>", "<html>")


def test_content_for_viber_goes_as_it_was_given() -> None:
    [call] = VIBER.calls(outbound("viber", '{"text":"\\ud83d","n":1.50,"receiver":"another"}'))

    assert b'"text":"\\ud83d","n":1.50' in call.body
    assert json.loads(call.body)["receiver"] == ADDRESSES["viber"][1]


@pytest.mark.parametrize(
    "sending", [TwilioSending("https://a", None, "t", ""), ViberSending("https://a", None)]
)
def test_without_credentials_nothing_is_sent(sending: Sending) -> None:
    with pytest.raises(DeliveryError, match="not"):
        sending.calls(outbound("viber", '{"Body":"x"}'))
