import hmac
from base64 import b64encode
from urllib.parse import urlencode

import pytest

from airy_ray.errors import PayloadError, SignatureError
from airy_ray.sources.source import Described, Failed, Key, Parsed, Receipt, Received, Webhook
from airy_ray.sources.twilio import Twilio, parse

SMS = {"To": "+1", "From": "+2", "MessageSid": "SM1", "Body": "hi"}
CONVERSATION = Key("twilio.sms", "+1", "+2")


def parsed(**fields: str) -> Parsed:
    return parse(Webhook(urlencode(fields).encode(), {}))


def status(**fields: str) -> Parsed:
    """Return what the status of a message of ours says."""
    return parsed(**{"From": "+1", "To": "+2", "MessageSid": "SM1"} | fields)


def test_the_content_of_a_message_is_its_form() -> None:
    [told] = parsed(**SMS).events

    assert isinstance(told, Received)
    assert (told.key, told.source_message_id, told.sent_at) == (CONVERSATION, "SM1", None)
    assert told.content == b'"To=%2B1&From=%2B2&MessageSid=SM1&Body=hi"'


def test_a_field_that_nobody_knows_yet_stays_in_the_content() -> None:
    [told] = parsed(**SMS, Hologram="3d").events

    assert isinstance(told, Received)
    assert b"Hologram=3d" in told.content


def test_whatsapp_tells_what_the_contact_is_called_and_which_button_was_pressed() -> None:
    ours, theirs = "whatsapp:+1", "whatsapp:+2"
    button = {"ButtonPayload": "", "ListId": "row-7", "ProfileName": "Ada"}
    received, described = parsed(**SMS | button | {"To": ours, "From": theirs}).events
    key = Key("twilio.whatsapp", ours, theirs)

    assert isinstance(received, Received)
    assert (received.key, received.headers) == (key, {"postback.payload": "row-7"})
    assert described == Described(key, {"contact.display_name": b'"Ada"'})


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"MessageSid": "A", "SmsMessageSid": "B", "SmsSid": "C"}, "A"),
        ({"MessageSid": "", "SmsMessageSid": "B", "SmsSid": "C"}, "B"),
        ({"SmsSid": "C"}, "C"),
        ({}, None),
    ],
    ids=repr,
)
def test_what_a_message_is_called(fields: dict[str, str], identity: str | None) -> None:
    [told] = parsed(To="+1", From="+2", **fields).events

    assert isinstance(told, Received)
    assert told.source_message_id == identity
    assert told.identity == identity or identity is None


@pytest.mark.parametrize(("state", "is_seen"), [("delivered", False), ("read", True)])
def test_a_status_may_be_a_receipt(state: str, is_seen: bool) -> None:
    assert status(MessageStatus=state).events == [Receipt(CONVERSATION, is_seen, ("SM1",))]


@pytest.mark.parametrize("state", ["failed", "undelivered"])
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ErrorMessage": "Unreachable", "ErrorCode": "30003"}, "Unreachable"),
        ({"ErrorCode": "30003"}, "Twilio error 30003"),
        ({}, "Twilio error unknown"),
    ],
    ids=repr,
)
def test_a_status_may_be_a_failure(state: str, fields: dict[str, str], reason: str) -> None:
    [told] = status(MessageStatus=state, **fields).events

    assert isinstance(told, Failed)
    assert (told.key, told.source_message_id, told.reason) == (CONVERSATION, "SM1", reason)
    assert f"MessageStatus={state}" in told.answer


@pytest.mark.parametrize(
    "state", ["queued", "accepted", "scheduled", "sending", "sent", "canceled", "beamed"]
)
def test_other_states_are_no_events(state: str) -> None:
    assert status(MessageStatus=state) == Parsed([], ["status without consequence"])


def test_a_status_of_nothing_is_ignored() -> None:
    assert status(MessageStatus="read", MessageSid="") == Parsed([], ["status of nothing"])


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(PayloadError):
        parse(Webhook(b"To=1&From=2&Body=\xff", {}))


@pytest.mark.parametrize(
    ("called", "signed", "is_taken"),
    [
        ("https://a.example/twilio", "https://a.example:443/twilio", True),
        ("https://a.example:443/twilio", "https://a.example/twilio", True),
        ("http://a.example/twilio", "http://a.example:80/twilio", True),
        ("https://a.example/twilio", "https://a.example:80/twilio", False),
        ("https://a.example:8443/twilio", "https://a.example:8443/twilio", True),
        ("https://a.example:8443/twilio", "https://a.example/twilio", False),
        ("https://[::1]/twilio?", "https://[::1]:443/twilio?", True),
        ("https://a.example/twilio", "https://a.example/webhooks/twilio", False),
        ("", "", True),
    ],
)
def test_the_url_is_signed_with_or_without_its_default_port(
    called: str, signed: str, is_taken: bool
) -> None:
    signature = hmac.digest(b"token", f"{signed}Bodyé".encode() + b"\xff", "sha1")
    headers = {"x-twilio-signature": b64encode(signature).decode()}
    webhook = Webhook(b"Body=%C3%A9%FF", headers, called)

    assert accepts(webhook) is is_taken


def accepts(webhook: Webhook) -> bool:
    try:
        Twilio("token").verify(webhook)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("signature", ["", "é", "A" * 28])
def test_a_body_without_its_signature_is_refused(signature: str) -> None:
    assert not accepts(Webhook(b"a=b", {"x-twilio-signature": signature}, "https://a.example/"))
