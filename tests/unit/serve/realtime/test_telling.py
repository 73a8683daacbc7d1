"""What subscribers hear of a change, in one WebSocket message each."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as WebSocketFrame
from websockets.streams import StreamReader

from airy_ray.model.ids import ChannelId, ConversationId, format_id
from airy_ray.projections.view import Change
from airy_ray.serve.realtime.telling import Telling, message_head
from airy_ray.serve.realtime.wire import framed
from airy_ray.state.search.documents import conversation_document
from airy_ray.stomp.reader import Bounds, FrameReader
from airy_ray.stomp.session import ServerSession
from tests import builders

CONVERSATION, CHANNEL = ConversationId(b"c" * 16), ChannelId(b"n" * 16)
GONE = {"conversation_id": format_id(CONVERSATION), "channel_id": format_id(CHANNEL)}


def unframed(message: bytes) -> bytes:
    """Return what a WebSocket library takes a message for."""
    reader = StreamReader()
    reader.feed_data(message)
    parsing = WebSocketFrame.parse(reader.read_exact, mask=False)
    try:
        next(parsing)
    except StopIteration as done:
        frame: WebSocketFrame = done.value
        assert frame.fin
        assert frame.opcode == 1
        return bytes(frame.data)
    raise AssertionError("the message is not whole")


@pytest.mark.parametrize(
    ("kind", "is_told"),
    [("conversation.erased", True), ("conversation.removed", True), ("message.created", False)],
)
def test_who_filters_hears_that_a_conversation_is_gone(kind: str, is_told: bool) -> None:
    assert telling(kind, GONE, CONVERSATION).is_of_what_is_gone is is_told


def test_a_message_that_is_gone_is_told_to_those_whose_filter_finds_its_conversation() -> None:
    told = telling("message.removed", GONE, CONVERSATION)
    told.found_by = conversation_document(builders.conversation("ada"))

    assert not told.is_of_what_is_gone


@given(st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000]))
def test_messages_are_framed_as_others_read_them(length: int) -> None:
    assert unframed(framed(b"x" * length)) == b"x" * length


def event(kind: str, payload: object) -> bytes:
    return b'{"type":"%b","timestamp":7,"payload":%b}' % (
        kind.encode(),
        msgspec.json.encode(payload),
    )


def message(*, from_contact: bool = True, delivery_state: str = "delivered") -> dict[str, object]:
    return {
        "conversation_id": format_id(CONVERSATION),
        "channel_id": format_id(CHANNEL),
        "message": {
            "id": "m",
            "content": {"delivery_state": "pending", "text": "ä\0"},
            "delivery_state": delivery_state,
            "from_contact": from_contact,
        },
    }


def telling(kind: str, payload: object, conversation: ConversationId | None) -> Telling:
    return Telling(Change(kind, conversation, None, event(kind, payload)), b"h.1.7")


def test_a_frame_is_what_a_client_reads() -> None:
    head = message_head(ServerSession(Bounds()), "/events", "sub:0")
    told = telling("message.created", message(), CONVERSATION)
    reader = FrameReader()
    reader.feed(unframed(told.message(head)))

    (frame,) = reader.frames()
    assert frame.command == "MESSAGE"
    assert frame.headers == {
        "destination": "/events",
        "subscription": "sub:0",
        "message-id": "h.1.7",
        "position": "h.1.7",
        "content-type": "application/json",
    }
    assert frame.body == told.change.event


@pytest.mark.parametrize(
    ("kind", "payload", "channel"),
    [
        pytest.param("message.created", message(), CHANNEL, id="message"),
        pytest.param("channel.updated", {"id": format_id(CHANNEL)}, CHANNEL, id="channel"),
        pytest.param(
            "metadata.updated",
            {"subject": "channel", "identifier": format_id(CHANNEL)},
            CHANNEL,
            id="channel's metadata",
        ),
        pytest.param("conversation.erased", GONE, CHANNEL, id="erased"),
        pytest.param("conversation.removed", GONE, CHANNEL, id="not made again"),
        pytest.param(
            "message.removed", GONE | {"message_id": "m"}, CHANNEL, id="message that went"
        ),
        pytest.param(
            "conversation.erased", {"conversation_id": "c"}, None, id="told by an earlier release"
        ),
        pytest.param("tag.updated", {"id": format_id(CHANNEL)}, None, id="tag"),
        pytest.param("records.lost", {"first_offset": 1}, None, id="damage"),
    ],
)
def test_the_channel_is_found_in_the_event(
    kind: str, payload: object, channel: ChannelId | None
) -> None:
    assert telling(kind, payload, None).told_channel == channel


@pytest.mark.parametrize(
    ("kind", "from_contact", "is_heard"),
    [
        ("message.created", True, True),
        ("message.created", False, True),
        ("message.updated", True, True),
        ("message.updated", False, False),
        ("metadata.updated", True, False),
    ],
)
def test_visitors_hear_what_is_new_and_of_their_own_what_changes(
    kind: str, from_contact: bool, is_heard: bool
) -> None:
    told = telling(kind, message(from_contact=from_contact), CONVERSATION)

    assert told.is_for_visitor is is_heard


@pytest.mark.parametrize("state", ["pending", "delivered"])
def test_visitors_hear_that_what_is_told_to_them_is_delivered(state: str) -> None:
    told = telling(
        "message.created", message(from_contact=False, delivery_state=state), CONVERSATION
    )
    reader = FrameReader()
    reader.feed(unframed(told.visitor_message(b"MESSAGE\n")))

    (frame,) = reader.frames()
    heard = msgspec.json.decode(frame.body)
    assert heard == message(from_contact=False)
