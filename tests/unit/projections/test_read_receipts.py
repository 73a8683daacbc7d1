"""Of what we have read the newest message is told, where the source tells that at all."""

from airy_ray.clock import Millis
from airy_ray.model.events import ConversationRead, MessageReceived, ReadTold
from airy_ray.model.ids import MessageId, message_id
from airy_ray.projections.view import Dispatch
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryView, folded

PLACE = builders.place(source="whatsapp")


def received(name: str, *, sent_at: int = NOW, source: str = "whatsapp") -> MessageReceived:
    place = builders.place(source=source)
    named = {
        "id": message_id(place.conversation_id, name),
        "conversation_id": place.conversation_id,
        "channel_id": place.channel_id,
        "source": source,
    }
    return MessageReceived(
        place, builders.changed(builders.message(name, sent_at=sent_at), **named)
    )


def read(at: int, *, source: str = "whatsapp") -> ConversationRead:
    return ConversationRead(builders.place(source=source).conversation_id, Millis(at))


def waiting(view: MemoryView) -> dict[bytes, Dispatch]:
    return dict(view.sends.under(b""))


NEWEST: MessageId = message_id(PLACE.conversation_id, "m2")


def test_of_what_was_read_the_newest_message_is_told() -> None:
    messages = [received(f"m{each}", sent_at=NOW + each) for each in (1, 2, 3)]
    view = folded(*messages, read(NOW + 3))

    assert waiting(view) == {
        NEWEST: Dispatch(PLACE, Millis(NOW + 3), 3, is_read_receipt=True),
    }


def test_what_was_read_before_is_not_told_again() -> None:
    view = folded(received("m2"), read(NOW + 1), ReadTold(NEWEST), read(NOW + 2))

    assert waiting(view) == {}


def test_a_message_of_ours_does_not_go_by_it() -> None:
    view = folded(
        builders.message_received(), builders.message_sent(), ReadTold(builders.sent_id())
    )

    assert list(waiting(view)) == [builders.sent_id()]


def test_other_sources_are_told_nothing() -> None:
    assert waiting(folded(received("m1", source="google"), read(NOW + 1, source="google"))) == {}
