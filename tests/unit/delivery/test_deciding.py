"""What is done about a pending message: the order of the checks, how long it is tried."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.delivery import deciding
from airy_ray.model.channel import Channel
from airy_ray.sources.custom_sending import CustomSending
from airy_ray.sources.facebook_sending import FacebookSending
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.sending import Later, Outbound, Refused
from airy_ray.sources.whatsapp_sending import WhatsappSending
from tests import builders
from tests.builders import NOW

FACEBOOK = FacebookSending("https://g", "v25.0", False, 300.0)
CUSTOM = CustomSending(b"key")
GOOGLE = GoogleSending("https://b", "https://r", None)
WHATSAPP = WhatsappSending("https://g", "v25.0")
EXPIRED_AT = NOW + 301_000


def outbound(
    *,
    at: int = NOW,
    recipient_id: str | None = None,
    last_inbound_at: int | None = NOW - 1,
    channel: Channel | None = None,
) -> Outbound | Refused:
    dispatch = builders.dispatch()
    message = builders.changed(builders.sent_message(), recipient_id=recipient_id)
    heard_at = None if last_inbound_at is None else Millis(last_inbound_at)
    conversation = msgspec.structs.replace(builders.conversation(), last_inbound_at=heard_at)
    known = builders.channel() if channel is None else channel
    return deciding.outbound(
        dispatch, message, conversation, known, FACEBOOK, Millis(at), is_by_person=True
    )


def test_a_message_is_told_as_its_source_needs_to_know_it() -> None:
    told = outbound()

    assert isinstance(told, Outbound)
    assert (told.recipient, told.channel, told.token) == ("ada", builders.PAGE, "a secret")
    assert (told.heard_at, told.at, told.is_by_person) == (NOW - 1, NOW, True)
    assert told.content == builders.sent_message().content
    assert told.sent_at == builders.sent_message().sent_at
    assert told.conversation == msgspec.structs.replace(
        builders.conversation(), last_inbound_at=Millis(NOW - 1)
    )


@pytest.mark.parametrize(("age_ms", "is_expired"), [(300_999, False), (301_000, True)])
def test_whole_seconds_count(age_ms: int, is_expired: bool) -> None:
    assert (outbound(at=NOW + age_ms) == deciding.EXPIRED) == is_expired
    assert deciding.is_expired(builders.dispatch(), FACEBOOK, Millis(NOW + age_ms)) == is_expired


def test_what_is_wrong_is_told_in_the_order_of_the_contract() -> None:
    """Stale, then without a recipient, then on a channel that is not connected (sources §0.7)."""
    gone = builders.channel(connected=False)
    opening: Any = {"recipient_id": "ada", "last_inbound_at": None}

    assert outbound(at=EXPIRED_AT, channel=gone, **opening) == deciding.EXPIRED
    assert outbound(channel=gone, **opening) == deciding.NO_RECIPIENT
    assert outbound(channel=gone) == deciding.NOT_CONNECTED


def test_a_conversation_known_by_echoes_alone_is_answered() -> None:
    assert isinstance(outbound(last_inbound_at=None), Outbound)


def test_who_wrote_to_us_is_written_to_by_name_too() -> None:
    assert isinstance(outbound(recipient_id="ada"), Outbound)


def test_a_channel_without_token_is_not_connected() -> None:
    assert outbound(channel=builders.channel(token=None)) == deciding.NOT_CONNECTED


@pytest.mark.parametrize(
    ("attempts", "courier", "heard_of", "is_uncertain"),
    [(0, None, 0, False), (1, None, 0, False), (1, 7, 0, True), (1, 7, 1, False), (2, 7, 1, True)],
)
def test_an_attempt_that_nobody_heard_of_is_uncertain(
    attempts: int, courier: int | None, heard_of: int, is_uncertain: bool
) -> None:
    dispatch = builders.dispatch(attempts=attempts, courier=courier)

    assert deciding.is_uncertain(dispatch, heard_of, FACEBOOK, NOW) == is_uncertain
    assert not deciding.is_uncertain(dispatch, heard_of, GOOGLE, NOW)
    too_late = Millis(EXPIRED_AT)
    assert deciding.is_uncertain(dispatch, heard_of, GOOGLE, too_late) == is_uncertain


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 3_600))
def test_waits_grow_and_are_at_least_what_was_asked_for(
    tries: int, chance: float, after_s: float | None
) -> None:
    told = Later("busy", after_s=after_s)
    wait_s = deciding.wait_s(told, tries, chance)

    assert wait_s >= (after_s or 0)
    assert min(2 ** min(tries - 1, 20), 60) <= max(wait_s, 1)
    assert wait_s <= max(90, after_s or 0)
    assert deciding.wait_s(told, tries + 1, chance) >= wait_s


@pytest.mark.parametrize(("wait_s", "is_worth"), [(1.0, True), (300.0, True), (301.0, False)])
def test_nobody_waits_for_what_is_too_old_then(wait_s: float, is_worth: bool) -> None:
    assert deciding.is_worth_waiting(builders.dispatch(), FACEBOOK, NOW, wait_s) == is_worth
    assert not deciding.is_worth_waiting(builders.dispatch(), CUSTOM, NOW, wait_s)


def test_to_a_custom_source_nothing_is_too_old() -> None:
    assert not deciding.is_expired(builders.dispatch(), CUSTOM, Millis(EXPIRED_AT))


def test_that_a_message_was_read_is_told_where_that_is_possible() -> None:
    channel, message = builders.channel(), builders.message("m1")
    call = deciding.read_receipt(message, channel, WHATSAPP)
    nameless = builders.changed(message, source_message_id=None)

    assert call is not None
    assert b'"message_id":"m1"' in call.body
    assert deciding.read_receipt(nameless, channel, WHATSAPP) is None
    assert deciding.read_receipt(message, None, WHATSAPP) is None
    assert deciding.read_receipt(message, builders.channel(connected=False), WHATSAPP) is None
    assert deciding.read_receipt(message, builders.channel(token=None), WHATSAPP) is None
    assert deciding.read_receipt(message, channel, FACEBOOK) is None
