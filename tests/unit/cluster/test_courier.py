"""The courier with sources of other kinds: messages of several calls, answers that break it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from airy_ray.cluster.sendings import AnySending
from airy_ray.model.ids import MessageId
from airy_ray.sources.facebook_sending import FacebookSending
from airy_ray.sources.sending import Call, Outbound, Reply, Verdict
from tests.e2e.platforms import CUT_OFF, Answer
from tests.unit.cluster.couriers import deliver_until
from tests.unit.cluster.test_delivering import Post, working
from tests.unit.cluster.test_owner import LONG_S


class Split(FacebookSending, frozen=True):
    """A source to which the words of a text go one by one."""

    def calls(self, message: Outbound) -> list[Call]:
        words = json.loads(message.content)["text"].split()
        contents = [json.dumps({"text": word}).encode() for word in words]
        changed = [msgspec.structs.replace(message, content=each) for each in contents]
        return [call for each in changed for call in super(Split, self).calls(each)]


class Breaking(FacebookSending, frozen=True):
    """A source whose answers nobody understands."""

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        raise ZeroDivisionError


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with working(tmp_path) as found:
        yield found


def delivering(
    post: Post, sending: AnySending, is_done: Callable[[], bool], *, source: str = "facebook"
) -> None:
    """Run a courier until something is done."""
    specs = [post.own, post.registry]
    deliver_until(is_done, specs, {source: sending}, within_s=LONG_S)


def settled(post: Post, identifier: MessageId) -> Callable[[], bool]:
    return lambda: post.state(identifier) in ("delivered", "failed")


def sending(post: Post, kind: type[FacebookSending]) -> FacebookSending:
    return kind(post.api.url, "v25.0", False, 300.0)


def test_a_message_of_several_calls_is_called_what_the_first_is(post: Post) -> None:
    sent = post.send("one two three")
    delivering(post, sending(post, Split), settled(post, sent))

    assert post.texts() == ["one", "two", "three"]
    assert post.settled(sent) == {
        "state": "delivered",
        "source": {"id": post.api.sent[0].known_as},
    }


def test_what_follows_is_tried_again_without_what_was_taken(post: Post) -> None:
    post.api.answers["two"].append(Answer(503, b"busy"))
    sent = post.send("one two three")
    delivering(post, sending(post, Split), settled(post, sent))

    assert post.texts() == ["one", "two", "two", "three"]
    assert post.settled(sent)["state"] == "delivered"


def test_a_message_of_which_a_part_was_sent_is_not_begun_again(post: Post) -> None:
    """Another courier finds it between two tries of its second part."""
    post.api.answers["two"].extend([Answer(503, b"busy", {"retry-after": "60"})] * 2)
    sent = post.send("one two")
    delivering(post, sending(post, Split), lambda: len(post.texts()) == 2)
    delivering(post, sending(post, Split), settled(post, sent))

    assert post.texts() == ["one", "two"]
    assert post.settled(sent)["error"].startswith("delivery uncertain")


def test_an_answer_that_breaks_the_courier_has_nothing_sent_again(post: Post) -> None:
    sent = post.send("Hello")
    delivering(post, sending(post, Breaking), settled(post, sent))

    assert post.texts() == ["Hello"]
    assert post.settled(sent)["error"].startswith("delivery uncertain")


def test_a_resend_counts_from_the_beginning(post: Post) -> None:
    post.api.answers["two"].append(Answer(CUT_OFF, b""))
    sent = post.send("one two")
    delivering(post, sending(post, Split), settled(post, sent))
    assert post.settled(sent)["error"].startswith("delivery uncertain")

    post.resend(sent)
    delivering(post, sending(post, Split), lambda: post.state(sent) == "delivered")
    assert post.texts() == ["one", "two", "one", "two"]
