"""Turns: in order within a conversation, bounded for each source, each message once."""

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airy_ray.delivery.lanes import Lanes, Turn
from airy_ray.model.ids import ConversationId, MessageId, PartitionIndex

AT_ONCE = 2


def turn(message: int, *, conversation: int = 0, source: str = "facebook") -> Turn:
    return Turn(
        PartitionIndex(0),
        MessageId(message.to_bytes(16, "big")),
        ConversationId(conversation.to_bytes(16, "big")),
        source,
    )


def number(taken: Turn) -> int:
    return int.from_bytes(taken.message_id, "big")


def test_a_conversation_has_one_turn_at_a_time_the_oldest_first() -> None:
    lanes = Lanes(AT_ONCE)
    for position in (1, 3, 2):
        lanes.add(turn(position), position)

    [first] = lanes.begin()
    assert list(lanes.begin()) == []
    lanes.finish(first)
    [second] = lanes.begin()
    lanes.finish(second)
    [third] = lanes.begin()
    lanes.finish(third)
    assert [number(each) for each in (first, second, third)] == [1, 2, 3]
    assert (list(lanes.begin()), len(lanes)) == ([], 0)


def test_a_message_is_known_once_until_it_is_finished() -> None:
    lanes = Lanes(AT_ONCE)
    lanes.add(turn(1), 1)
    lanes.add(turn(1), 1)
    [first] = lanes.begin()
    lanes.add(turn(1), 1)
    lanes.finish(first)

    assert list(lanes.begin()) == []
    lanes.add(turn(1), 1)
    assert len(list(lanes.begin())) == 1


def test_a_turn_that_pauses_keeps_its_place_and_gives_way_to_others() -> None:
    lanes = Lanes(1)
    lanes.add(turn(1), 1)
    lanes.add(turn(2), 2)
    lanes.add(turn(3, conversation=1), 3)
    [first] = lanes.begin()
    lanes.pause(first)
    [other] = lanes.begin()
    lanes.finish(other)

    assert number(other) == 3
    assert list(lanes.begin()) == []
    lanes.go_on(first)
    assert list(lanes.begin()) == [first]


def test_one_source_takes_nothing_from_another() -> None:
    lanes = Lanes(AT_ONCE)
    for each in range(5):
        lanes.add(turn(each, conversation=each), each)
    assert len(list(lanes.begin())) == AT_ONCE
    lanes.add(turn(9, conversation=9, source="google"), 9)
    assert [each.source for each in lanes.begin()] == ["google"]


messages = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["facebook", "google"])), max_size=30
)


@given(messages=messages, choices=st.data())
def test_whatever_happens_all_are_taken_once_in_order_and_never_too_many(
    messages: list[tuple[int, str]], choices: Any
) -> None:
    """Conversations are of one source; turns pause, go on and finish in any order."""
    lanes = Lanes(AT_ONCE)
    coming = [
        (turn(at, conversation=conversation * 2 + (source == "google"), source=source), at)
        for at, (conversation, source) in enumerate(messages)
    ]
    begun: list[Turn] = []
    paused: list[Turn] = []
    finished: dict[bytes, list[int]] = defaultdict(list)
    while coming or begun or paused or len(lanes):
        begun += lanes.begin()
        for source in ("facebook", "google"):
            assert sum(each.source == source for each in begun) <= AT_ONCE
        under_way = [each.conversation_id for each in begun + paused]
        assert len(set(under_way)) == len(under_way)
        actions = ["add"] * bool(coming) + ["end", "pause"] * bool(begun) + ["on"] * bool(paused)
        match choices.draw(st.sampled_from(actions)):
            case "add":
                lanes.add(*coming.pop(0))
            case "end":
                ended = begun.pop(choices.draw(st.integers(0, len(begun) - 1)))
                lanes.finish(ended)
                finished[ended.conversation_id].append(number(ended))
            case "pause":
                paused.append(begun.pop())
                lanes.pause(paused[-1])
            case "on":
                lanes.go_on(paused.pop(0))

    assert sorted(each for lane in finished.values() for each in lane) == list(range(len(messages)))
    assert all(lane == sorted(lane) for lane in finished.values())
