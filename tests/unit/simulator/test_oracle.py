import json
from dataclasses import replace
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.simulator.oracle import FoundConversation, FoundMessage, Oracle
from airy_ray.simulator.story import Reacted, Thread, Written

ANN = Thread("facebook", "page", "ann")
BOB = Thread("facebook", "page", "bob")


def written(key: str = "m1", thread: Thread = ANN, at: int = 1, **fields: Any) -> Written:
    content = json.dumps({"text": key}).encode()
    return replace(Written(thread, key, Millis(at), True, content), **fields)


def found(message: Written, **fields: Any) -> FoundMessage:
    assert message.sent_at is not None
    content = json.loads(message.content)
    shown = FoundMessage("id", message.key, message.sent_at, message.from_contact, content)
    return replace(shown, **fields)


def conversation(*messages: FoundMessage, unread: int, identifier: str = "c1") -> FoundConversation:
    return FoundConversation(identifier, unread, messages)


def acknowledged(*messages: Written) -> Oracle:
    oracle = Oracle()
    oracle.send(messages)
    oracle.acknowledge(messages)
    return oracle


M1, M2 = written("m1", at=1), written("m2", at=2)


def test_what_is_found_as_it_was_written_is_right() -> None:
    verdict = acknowledged(M1, M2).verdict([conversation(found(M2), found(M1), unread=2)])

    assert verdict.is_clean
    assert (verdict.sent, verdict.acknowledged, verdict.found) == (2, 2, 2)


@pytest.mark.parametrize(
    ("wrong", "conversations"),
    [
        pytest.param("missing", [conversation(found(M2), unread=2)], id="missing"),
        pytest.param(
            "twice", [conversation(found(M2), found(M1), found(M1), unread=2)], id="twice"
        ),
        pytest.param(
            "unexpected",
            [conversation(found(M2), found(M1), found(M1, key="other"), unread=2)],
            id="unexpected",
        ),
        pytest.param(
            "altered",
            [conversation(found(M2), found(M1, content={"text": "?"}), unread=2)],
            id="other content",
        ),
        pytest.param(
            "altered",
            [conversation(found(M2), found(M1, sent_at=Millis(0)), unread=2)],
            id="other time",
        ),
        pytest.param(
            "altered",
            [conversation(found(M2), found(M1, from_contact=False), unread=2)],
            id="other direction",
        ),
        pytest.param(
            "out of order", [conversation(found(M1), found(M2), unread=2)], id="oldest first"
        ),
        pytest.param(
            "unread count", [conversation(found(M2), found(M1), unread=1)], id="unread count"
        ),
        pytest.param(
            "reaction",
            [conversation(found(M2), found(M1, reaction="👍"), unread=2)],
            id="reaction of nobody",
        ),
    ],
)
def test_what_is_wrong_is_called_by_its_name(
    wrong: str, conversations: list[FoundConversation]
) -> None:
    verdict = acknowledged(M1, M2).verdict(conversations)

    assert dict(verdict.wrong) == {wrong: 1}


def test_messages_of_two_people_in_one_conversation_are_misplaced() -> None:
    bobs = written("m3", BOB, at=3)

    verdict = acknowledged(M1, bobs).verdict([conversation(found(bobs), found(M1), unread=2)])

    assert verdict.wrong["misplaced"] == 2


def test_messages_of_one_person_in_two_conversations_are_misplaced() -> None:
    apart = [
        conversation(found(M1), unread=2, identifier="c1"),
        conversation(found(M2), unread=2, identifier="c2"),
    ]

    assert acknowledged(M1, M2).verdict(apart).wrong["misplaced"] == 1


@pytest.mark.parametrize("unread", [0, 1], ids=["not stored", "stored"])
def test_what_nobody_acknowledged_may_be_there_or_not(unread: int) -> None:
    oracle = acknowledged()
    oracle.send([M1])

    shown = [conversation(found(M1), unread=1)] if unread else []

    assert oracle.verdict(shown).is_clean


def test_what_was_acknowledged_before_a_read_is_not_unread() -> None:
    oracle = acknowledged(M1)
    oracle.mark_read(ANN)
    oracle.acknowledge([M2])

    assert oracle.verdict([conversation(found(M2), found(M1), unread=1)]).is_clean
    assert oracle.verdict([conversation(found(M2), found(M1), unread=2)]).wrong["unread count"]


@pytest.mark.parametrize("unread", [0, 1, 2])
def test_a_read_without_an_answer_may_have_been_one(unread: int) -> None:
    oracle = acknowledged(M1)
    oracle.mark_read(ANN, is_certain=False)

    verdict = oracle.verdict([conversation(found(M1), unread=unread)])

    assert verdict.is_clean == (unread <= 1)


@pytest.mark.parametrize("unread", [0, 1])
def test_a_message_acknowledged_after_a_read_but_sent_before_may_have_been_read(
    unread: int,
) -> None:
    oracle = Oracle()
    oracle.send([M1])
    oracle.mark_read(ANN)
    oracle.acknowledge([M1])

    assert oracle.verdict([conversation(found(M1), unread=unread)]).is_clean


def test_what_the_business_wrote_is_never_unread() -> None:
    echo = written(from_contact=False)

    assert acknowledged(echo).verdict([conversation(found(echo), unread=0)]).is_clean


def test_a_repeated_acknowledgement_counts_once() -> None:
    oracle = acknowledged(M1)
    oracle.mark_read(ANN)

    oracle.acknowledge([M1])

    assert oracle.verdict([conversation(found(M1), unread=0)]).is_clean


def test_the_newest_reaction_counts_in_whatever_order_they_are_acknowledged() -> None:
    oracle = acknowledged(M1)
    newer, older = Reacted(ANN, "m1", "❤️", Millis(9)), Reacted(ANN, "m1", "👍", Millis(8))

    for reaction in (newer, older):
        oracle.acknowledge([], [reaction])

    assert oracle.verdict([conversation(found(M1, reaction="❤️"), unread=1)]).is_clean
    assert oracle.verdict([conversation(found(M1, reaction="👍"), unread=1)]).wrong["reaction"]


@pytest.mark.parametrize("reaction", [None, "👍"])
def test_a_reaction_that_nobody_acknowledged_may_be_there_or_not(reaction: str | None) -> None:
    oracle = acknowledged(M1)
    oracle.send([], [Reacted(ANN, "m1", "👍", Millis(8))])

    assert oracle.verdict([conversation(found(M1, reaction=reaction), unread=1)]).is_clean
