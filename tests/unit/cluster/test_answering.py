"""Bots at work in the courier's process, between an owner and played bots; without Ray."""

import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from airy_ray.bots.cognigy import Cognigy
from airy_ray.bots.openai import OpenAi
from airy_ray.bots.rasa import Rasa
from airy_ray.bots.watson import Watson
from airy_ray.clock import now_millis
from airy_ray.cluster.bots import AnyBot
from airy_ray.model.commands import DescribeConversation
from airy_ray.model.events import MessageOverwritten, MessageReplaced
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.model.message import Message
from airy_ray.partition.fold import encode_event
from airy_ray.state.queries import Reading
from tests import builders
from tests.log_builders import append, webhook
from tests.played_bots import MODEL, MODEL_KEY, WATSON_KEY, PlayedBots, Told, played_bots
from tests.unit.cluster.test_delivering import Post, working
from tests.unit.cluster.test_owner import until

ADA = builders.conversation_id("ada")
BOB = builders.conversation_id("bob")
HI, YOU_SAID = "text of m2", "You said: text of m2"
LONG_S = 30.0


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with working(tmp_path) as found:
        yield found


@pytest.fixture
def bots() -> Iterator[PlayedBots]:
    with played_bots() as server:
        yield server


def rasa(bots: PlayedBots, *, wait_s: float = LONG_S, at_once: int = 8) -> Rasa:
    return Rasa(bots.url, wait_s, at_once)


def model(bots: PlayedBots, *, only_suggests: bool = False) -> OpenAi:
    url = f"{bots.url}/v1"
    return OpenAi(url, MODEL, MODEL_KEY, None, only_suggests, 20, LONG_S, 8)


def start(post: Post, *configured: AnyBot) -> None:
    """Start the process, and wait until its bots listen."""
    post.start(bots=configured)
    for each in configured:
        until(lambda of=each.name: is_placed(post, of))  # type: ignore[misc]


def is_placed(post: Post, bot: str) -> bool:
    return (post.own.directory / f"bot-{bot}.place").exists()


def write(post: Post, name: str, contact: str = "ada") -> None:
    """Have a contact write `text of <name>`."""
    append(post.own.directory, [webhook(name, contact=contact, at=now_millis())])


def set_state(post: Post, state: str, seed: str) -> None:
    """Have a user set the state of Ada's conversation."""
    asked = DescribeConversation(
        id=format_id(builders.command_id(seed)),
        conversation_id=format_id(ADA),
        values={"state": state},
    )
    append(post.own.directory, [builders.command_record(asked, at=now_millis())])


def messages(post: Post, conversation: ConversationId = ADA) -> list[Message]:
    """Return the messages of a conversation, oldest first."""
    found: Sequence[Message] = post.ask(Reading.messages, conversation, None, 100)
    return list(reversed(found))


def said(post: Post, conversation: ConversationId = ADA) -> list[str]:
    """Return what bots said in a conversation."""
    ours = [each for each in messages(post, conversation) if each.sender_id.endswith("-bot")]
    return [json.loads(each.content)["text"] for each in ours]


def test_a_bot_answers_what_comes_and_its_answer_is_delivered(post: Post, bots: PlayedBots) -> None:
    start(post, rasa(bots))
    write(post, "m2")
    until(lambda: post.texts() == [YOU_SAID])
    until(lambda: messages(post)[-1].delivery_state == "delivered")
    answer = messages(post)[-1]

    assert (answer.sender_id, answer.from_contact) == ("rasa-bot", False)
    # and not m1, which was there before
    assert [(each.text, each.conversation) for each in bots.heard] == [(HI, format_id(ADA))]
    assert bots.refused == []


def test_all_bots_are_asked_as_they_want_to_be(post: Post, bots: PlayedBots) -> None:
    cognigy = Cognigy(f"{bots.url}/endpoint", "", LONG_S, 8)
    watson = Watson(bots.url, WATSON_KEY, "a1", LONG_S, 8)
    start(post, rasa(bots), cognigy, watson, model(bots))
    write(post, "m2")
    until(lambda: len(said(post)) == 4)
    write(post, "m3")
    until(lambda: len(said(post)) == 8)

    assert bots.refused == []
    assert {each.sender_id for each in messages(post) if not each.from_contact} == {
        "rasa-bot",
        "cognigy-bot",
        "ibm-watson-assistant-bot",
        "openai-bot",
    }
    assert bots.contexts == {format_id(ADA): {"n": 2}}


def test_a_model_is_told_the_conversation(post: Post, bots: PlayedBots) -> None:
    start(post, model(bots))
    for number, name in enumerate(("m2", "m3"), 1):
        write(post, name)
        until(lambda number=number: len(said(post)) == number)  # type: ignore[misc]

    assert bots.heard[-1].body["messages"] == [
        {"role": "user", "content": "text of m1"},
        {"role": "user", "content": "text of m2"},
        {"role": "assistant", "content": "You said: text of m2"},
        {"role": "user", "content": "text of m3"},
    ]


def test_answers_are_in_their_order(post: Post, bots: PlayedBots) -> None:
    elements = [{"text": f"{number}"} for number in range(12)]
    bots.answers[HI].append(Told(body=json.dumps(elements).encode()))
    start(post, rasa(bots))
    write(post, "m2")
    until(lambda: len(said(post)) == 12)

    assert said(post) == [f"{number}" for number in range(12)]


def test_a_bot_goes_on_where_it_was(post: Post, bots: PlayedBots) -> None:
    start(post, rasa(bots))
    write(post, "m2")
    until(lambda: said(post) == [YOU_SAID])
    assert post.courier is not None
    post.courier.end()
    write(post, "m3")
    post.start(bots=[rasa(bots)])
    until(lambda: len(said(post)) == 2)

    assert bots.texts() == [HI, "text of m3"]


def test_a_bot_that_was_away_begins_anew(post: Post, bots: PlayedBots) -> None:
    start(post, rasa(bots))
    assert post.courier is not None
    post.courier.end()
    post.start()
    until(lambda: not is_placed(post, "rasa"))
    write(post, "m2")
    until(lambda: len(messages(post)) == 2)
    post.courier.end()
    start(post, rasa(bots))
    write(post, "m3")
    until(lambda: len(said(post)) == 1)

    assert bots.texts() == ["text of m3"]


def test_edits_and_repetitions_are_not_told(post: Post, bots: PlayedBots) -> None:
    start(post, rasa(bots))
    write(post, "m2")
    until(lambda: said(post) == [YOU_SAID])
    edited = builders.message("m2", text="edited", updated_at=now_millis())
    body = encode_event(MessageReplaced(builders.place(), edited))
    again = encode_event(MessageOverwritten(builders.place(), builders.message("m2", text="again")))
    append(
        post.own.directory,
        [builders.record(each, kind="outcome", source="") for each in (again, body)],
    )
    write(post, "m2")
    write(post, "m3")
    until(lambda: len(said(post)) == 2)

    assert bots.texts() == [HI, "text of m3"]


def test_in_a_conversation_one_after_the_other_others_beside(post: Post, bots: PlayedBots) -> None:
    let_go = Event()
    bots.answers[HI].append(Told(held_until=let_go))
    start(post, rasa(bots))
    write(post, "m2")
    write(post, "m3")
    write(post, "b1", "bob")
    until(lambda: said(post, BOB) == ["You said: text of b1"])
    until(lambda: sorted(bots.texts()) == ["text of b1", HI])
    let_go.set()
    until(lambda: said(post) == ["You said: text of m3"])

    assert [each for each in bots.texts() if each != "text of b1"] == [HI, "text of m3"]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Told(500, b"oh no"), id="an error"),
        pytest.param(Told(200, b"<html>"), id="no JSON"),
        pytest.param(Told(200, b'{"text":"another form"}'), id="another form"),
    ],
)
def test_a_failure_is_no_message_and_holds_nothing_up(
    post: Post, bots: PlayedBots, failure: Told, capfd: pytest.CaptureFixture[str]
) -> None:
    bots.answers[HI].append(failure)
    start(post, rasa(bots))
    write(post, "m2")
    write(post, "m3")
    until(lambda: said(post) == ["You said: text of m3"])
    asked = bots.texts()
    assert post.courier is not None
    post.courier.end()
    logged = capfd.readouterr().err

    assert asked == [HI, "text of m3"]
    assert format_id(builders.message_id("m2")) in logged
    assert "text of" not in logged


def test_a_bot_that_does_not_answer_is_not_waited_for(post: Post, bots: PlayedBots) -> None:
    let_go = Event()
    bots.answers[HI].append(Told(held_until=let_go))
    start(post, rasa(bots, wait_s=0.3))
    write(post, "m2")
    write(post, "m3")
    until(lambda: said(post) == ["You said: text of m3"])
    let_go.set()


def test_a_bot_that_is_not_there_holds_up_no_message_of_ours(post: Post) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    start(post, Rasa(nobody, LONG_S, 8))
    write(post, "m2")
    sent = post.send("Hello")

    assert post.settled(sent)["state"] == "delivered"


def test_who_cannot_tell_how_far_a_bot_is_holds_up_no_message_of_ours(
    post: Post, bots: PlayedBots
) -> None:
    (post.own.directory / "bot-rasa.place").mkdir()
    post.start(bots=[rasa(bots)])
    sent = post.send("Hello")

    assert post.settled(sent)["state"] == "delivered"


def test_who_is_killed_before_the_call_never_asks_again(post: Post, bots: PlayedBots) -> None:
    """The kernel takes the connection of a call that nobody ever reads."""
    deaf = socket.create_server(("127.0.0.1", 0))
    port = deaf.getsockname()[1]
    killed = post.start(bots=[Rasa(f"http://127.0.0.1:{port}", LONG_S, 8)])
    until(lambda: is_placed(post, "rasa"))
    write(post, "m2")
    until(lambda: is_asked(post, "m2"))
    os.kill(killed.pid, signal.SIGKILL)
    killed.end()
    deaf.close()
    post.start(bots=[rasa(bots)])
    write(post, "m3")
    until(lambda: said(post) == ["You said: text of m3"])

    assert bots.texts() == ["text of m3"]


def is_asked(post: Post, name: str) -> bool:
    identifier = builders.message_id(name)
    return post.ask(Reading.asked_by, ADA, identifier, "rasa") is not None


def test_many_questions_are_asked_once_each_in_order(post: Post, bots: PlayedBots) -> None:
    start(post, rasa(bots, at_once=4))
    names = [f"n{number}" for number in range(60)]
    contacts = ("ada", "bob", "carol")
    for number, name in enumerate(names):
        write(post, name, contacts[number % 3])
    until(lambda: len(bots.heard) == 60)

    for number, contact in enumerate(contacts):
        conversation = builders.conversation_id(contact)
        own = [f"text of {name}" for name in names[number::3]]
        until(lambda of=conversation: len(said(post, of)) == 20)  # type: ignore[misc]
        heard = [each.text for each in bots.heard if each.conversation == format_id(conversation)]
        assert heard == own


def test_people_take_over_by_writing_and_give_back_by_closing(post: Post, bots: PlayedBots) -> None:
    start(post, rasa(bots))
    sent = post.send("I am here")
    assert post.settled(sent)["state"] == "delivered"
    write(post, "m2")
    write(post, "b1", "bob")
    until(lambda: said(post, BOB) == ["You said: text of b1"])
    set_state(post, "CLOSED", "closed")
    write(post, "m3")
    until(lambda: said(post) == ["You said: text of m3"])

    assert sorted(bots.texts()) == ["text of b1", "text of m3"]


def test_an_open_conversation_is_peoples(post: Post, bots: PlayedBots) -> None:
    set_state(post, "OPEN", "open")
    start(post, rasa(bots))
    write(post, "m2")
    write(post, "b1", "bob")
    until(lambda: said(post, BOB) == ["You said: text of b1"])

    assert bots.texts() == ["text of b1"]


def test_what_a_bot_says_too_late_is_not_sent(post: Post, bots: PlayedBots) -> None:
    let_go = Event()
    body = json.dumps([{"text": "too late"}]).encode()
    bots.answers[HI].append(Told(body=body, held_until=let_go))
    start(post, rasa(bots))
    write(post, "m2")
    until(lambda: bots.texts() == [HI])
    assert post.settled(post.send("I am here"))["state"] == "delivered"
    let_go.set()
    set_state(post, "OPEN", "open")
    until(lambda: refused(post))

    assert said(post) == []


def refused(post: Post) -> bool:
    entries: Sequence[tuple[int, Any]] = post.ask(Reading.audit, None, 10)
    return any(each.principal == "rasa-bot" and each.status == 409 for _, each in entries)


def test_a_bot_that_only_suggests_does_so_beside_people(post: Post, bots: PlayedBots) -> None:
    start(post, model(bots, only_suggests=True))
    assert post.settled(post.send("I am here"))["state"] == "delivered"
    write(post, "m2")
    question = builders.message_id("m2")
    until(lambda: b"suggestions" in metadata(post))
    found = post.message(question)

    assert found is not None
    assert json.loads(found.metadata)["suggestions"] == {
        "openai-1": {"content": {"text": YOU_SAID}}
    }
    assert said(post) == []


def metadata(post: Post) -> bytes:
    found = post.message(builders.message_id("m2"))
    return b"" if found is None else found.metadata
