"""The publisher at work, in the courier's process, between owners and real receivers."""

import hmac
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook

from airy_ray.clock import Millis, now_millis
from airy_ray.cluster.delivering import DeliveringProcess
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.webhook_answers import answers_to
from airy_ray.cluster.webhook_backlog import (
    TABLES,
    Attempt,
    Backlog,
    Standing,
    attempts_of,
    scope_of,
    standing_of,
)
from airy_ray.cluster.webhook_spec import CallingSpec
from airy_ray.model.commands import (
    AnyCommand,
    PauseWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RotateKey,
    SubscribeWebhook,
    TestWebhook,
    UnsubscribeWebhook,
    UpdateWebhook,
)
from airy_ray.model.ids import format_id, parse_id
from airy_ray.model.webhook import Webhook
from airy_ray.partition.reader import PartitionReader
from airy_ray.publishing.events import Lineage
from airy_ray.publishing.waiting import Waiting
from airy_ray.rawlog.tail import LogTail
from airy_ray.storage.shelf import Shelf
from tests import builders
from tests.e2e.receiver import Called, Receiver, Reply
from tests.log_builders import append, webhook
from tests.unit.cluster.test_delivering import Post, working
from tests.unit.cluster.test_owner import until

KEY = "a long random text"
HOOK = "5d41402a-bc4b-8a76-b971-9d911017c592"
CREATED = ("message.created",)


class Publishing:
    """A platform of one partition whose webhooks are called, and who is called."""

    def __init__(self, post: Post, receiver: Receiver) -> None:
        self.post = post
        self.receiver = receiver
        self.hold_ms = 3_600_000
        self.at_once = 8
        self.allows_private_networks = True
        self._commands = 0
        self._processes: list[DeliveringProcess] = []

    def start(self) -> DeliveringProcess:
        """Start the process, once more if it was killed."""
        calling = CallingSpec(
            lineage=Lineage("5d41402a"),
            directory=str(self._directory),
            allow_private_networks=self.allows_private_networks,
            at_once=self.at_once,
            hold_ms=self.hold_ms,
        )
        process = DeliveringProcess(
            [self.post.own, self.post.registry],
            self.post.own.directory.parent,
            Duties(calling=calling),
        )
        self._processes.append(process)
        return process

    def tell(self, command: AnyCommand) -> None:
        record = builders.command_record(command, at=now_millis())
        append(self.post.registry.directory, [record])

    def subscribe(self, path: str = "/", *, hook: str = HOOK, **fields: Any) -> None:
        """Have the receiver called with all that there is in the feed."""
        self.subscribe_url(f"{self.receiver.url}{path}", hook=hook, **fields)

    def subscribe_url(self, url: str, *, hook: str = HOOK, **fields: Any) -> None:
        """Have whatever is at an address called, which nobody has looked at."""
        told: dict[str, Any] = {"start_at": 0, "events": CREATED} | fields
        self.tell(SubscribeWebhook(id=self.command(), webhook_id=hook, url=url, **told))

    def command(self) -> str:
        self._commands += 1
        return format_id(builders.command_id(f"webhooks {self._commands}"))

    def receive(self, *names: str, contact: str = "ada") -> None:
        """Have a contact write messages."""
        append(self.post.own.directory, [webhook(name, contact=contact) for name in names])

    def stored(self) -> Webhook | None:
        """Return the webhook as the registry has it."""
        with (
            closing(LogTail(self.post.registry.directory, is_read_only=True)) as tail,
            closing(PartitionReader(tail)) as reader,
            reader.read() as view,
        ):
            return view.webhook(parse_id(HOOK))

    def standing(self) -> Standing:
        with self._shelf() as shelf:
            return standing_of(shelf, parse_id(HOOK))

    def attempts(self, hook: str = HOOK) -> list[Attempt]:
        """Return what was written down of calls, oldest first."""
        identifier = parse_id(hook)
        with self._shelf() as shelf:
            rows = attempts_of(shelf, identifier, identifier + b"\xff" * 10, 1_000)
        return [attempt for _, attempt in reversed(rows)]

    def answers(self) -> list[str | None]:
        """Return what attempts were answered with, oldest first."""
        identifier = parse_id(HOOK)
        with self._shelf() as shelf:
            rows = attempts_of(shelf, identifier, identifier + b"\xff" * 10, 1_000)
        return answers_to(self.post.own.answers, rows)[::-1]

    def has_failed(self, *, attempts: int, since: int | None = None) -> None:
        """Write down that what waits has had so many attempts, and is due; nothing may run."""
        hook = self.stored()
        assert hook is not None
        with closing(Shelf(self._directory, TABLES)) as shelf:
            backlog = Backlog(shelf, scope_of(hook))
            for lane, waiting in list(backlog.all_waiting()):
                backlog.keep(Waiting(waiting.event, Millis(0), attempts, waiting.failed_at), lane)
            if since is not None:
                backlog.standing.failing_since = Millis(since)
            backlog.put_standing()
            shelf.write(shelf.unwritten())

    @property
    def _directory(self) -> Path:
        return self.post.own.directory.parent / "webhooks"

    @contextmanager
    def _shelf(self) -> Iterator[Shelf]:
        opened: list[Shelf] = []
        until(lambda: _has_opened(self._directory, opened))
        with closing(opened[0]) as shelf:
            yield shelf

    def close(self) -> None:
        for process in self._processes:
            process.end()
        self.receiver.stop()


@pytest.fixture
def publishing(tmp_path: Path) -> Iterator[Publishing]:
    with working(tmp_path) as post, closing(Publishing(post, Receiver())) as found:
        found.receiver.start()
        yield found


def _has_opened(directory: Path, opened: list[Shelf]) -> bool:
    """Open what the publisher writes, if it has begun; return whether that is so."""
    with suppress(FileNotFoundError):
        opened.append(Shelf(directory, TABLES, create=False))
    return bool(opened)


def text_of(called: Called) -> str:
    """Return what the message of a call says."""
    return str(called.body["payload"]["message"]["content"]["message"]["text"])


def texts(calls: list[Called]) -> list[str]:
    return [text_of(each) for each in calls]


def test_a_webhook_is_called_with_what_happens(publishing: Publishing) -> None:
    publishing.subscribe(events=())
    publishing.start()
    until(lambda: len(_of_ada(publishing)) >= 3 and len(_of_channels(publishing)) == 2)
    called, ada = publishing.receiver.calls, _of_ada(publishing)

    assert [each.kind for each in ada[:3]] == [
        "message.created",
        "message.updated",
        "conversation.updated",
    ]
    created, updated, conversation = (each.body["payload"] for each in ada[:3])
    assert created["message"]["metadata"] is None
    assert created["message"] | {"metadata": updated["message"]["metadata"]} == updated["message"]
    assert conversation["id"] == created["conversation_id"]
    assert conversation["metadata"]["unread_count"] == 1.0
    assert conversation["last_message"]["id"] == created["message"]["id"]
    channels = _of_channels(publishing)
    assert len({each.body["payload"]["id"] for each in channels}) == len(channels) == 2
    assert all(each.body["timestamp"] > 0 for each in called)


def _of_ada(publishing: Publishing) -> list[Called]:
    ada = format_id(builders.conversation_id("ada"))
    return [each for each in publishing.receiver.calls if ada in str(each.raw)]


def _of_channels(publishing: Publishing) -> list[Called]:
    return [each for each in publishing.receiver.calls if each.kind == "channel.updated"]


def test_calls_are_signed_as_the_contract_and_as_standard_webhooks_have_it(
    publishing: Publishing,
) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    publishing.subscribe(signature_key=secret, headers={"X-Team": "support", "User-Agent": "me"})
    publishing.start()
    until(lambda: len(publishing.receiver.calls) == 2)
    called = publishing.receiver.calls[0]

    StandardWebhook(secret).verify(called.raw, dict(called.headers))
    contract = hmac.new(secret.encode(), called.raw, "sha256").hexdigest()
    assert called.headers["x-airy-content-signature"] == contract
    assert (called.headers["x-team"], called.headers["user-agent"]) == ("support", "me")
    assert called.headers["content-type"] == "application/json"
    tell = "".join(map(str, publishing.attempts())) + str(publishing.standing())
    assert secret not in tell


def test_what_was_answered_is_kept_with_the_attempt(publishing: Publishing) -> None:
    publishing.receiver.answers["/"].extend([Reply(500, body=b"no\xff"), Reply(body=b"")])
    publishing.at_once = 1
    publishing.subscribe(headers={"Authorization": "Bearer hidden"})
    publishing.start()
    until(lambda: publishing.standing().delivered == 2)

    assert publishing.answers() == ["no\ufffd", None, "ok"]
    [file] = publishing.post.own.answers.iterdir()
    assert b"hidden" not in file.read_bytes()


def test_while_a_key_is_changed_both_are_good(publishing: Publishing) -> None:
    publishing.subscribe(signature_key="whsec_" + "A" * 32)
    other = "whsec_" + "B" * 32
    publishing.tell(
        RotateKey(id=publishing.command(), webhook_id=HOOK, signature_key=other, former_valid_s=600)
    )
    publishing.start()
    until(lambda: len(publishing.receiver.calls) == 2)
    called = publishing.receiver.calls[0]

    for key in ("whsec_" + "A" * 32, other):
        StandardWebhook(key).verify(called.raw, dict(called.headers))
    contract = hmac.new(other.encode(), called.raw, "sha256").hexdigest()
    assert called.headers["x-airy-content-signature"] == contract


def test_a_failed_call_is_made_again_with_the_same_id_before_what_follows(
    publishing: Publishing,
) -> None:
    publishing.receive("m2", "m3")
    publishing.receiver.decide = lambda called: Reply(
        500 if len(publishing.receiver.at("/")) == 1 else 200
    )
    publishing.at_once = 1
    publishing.subscribe()
    publishing.start()
    until(lambda: publishing.standing().delivered == 4)
    called = publishing.receiver.calls
    first = [each for each in called if each.event_id == called[0].event_id]

    assert len(first) == 2
    assert first[0].raw == first[1].raw
    of_ada = [text_of(each) for each in called if "m2" in text_of(each) or "m3" in text_of(each)]
    assert of_ada == ["text of m2", "text of m3"]
    fates = [(each.number, each.status, each.fate) for each in publishing.attempts()]
    assert fates.count((1, 500, "failed")) == 1
    assert (2, 200, "delivered") in fates


def test_one_conversation_that_fails_holds_up_no_other(publishing: Publishing) -> None:
    ada = format_id(builders.conversation_id("ada"))
    publishing.receiver.decide = lambda called: Reply(
        500 if called.body["payload"]["conversation_id"] == ada else 200
    )
    publishing.subscribe()
    publishing.start()
    publishing.receive("m2", "m3", contact="bob")
    publishing.receive("m4", "m5", contact="ada")
    until(lambda: publishing.standing().delivered == 3 and publishing.standing().waiting == 3)

    calls = publishing.receiver.calls
    assert {text_of(each) for each in calls if str(each.body).count(ada)} == {"text of m1"}


def test_what_follows_waits_for_one_that_fails_only_so_long(publishing: Publishing) -> None:
    ada = format_id(builders.conversation_id("ada"))
    message = format_id(builders.message_id("m1"))
    publishing.receiver.decide = lambda called: Reply(
        500 if called.body["payload"]["message"]["id"] == message else 200
    )
    publishing.hold_ms = 500
    publishing.subscribe()
    publishing.start()
    publishing.receive("m2", "m3", contact="ada")
    until(lambda: publishing.standing().delivered == 3)
    until(lambda: any(each.is_aside for each in publishing.attempts()))

    of_ada = [e for e in publishing.receiver.calls if e.body["payload"]["conversation_id"] == ada]
    assert texts(of_ada)[:3] == ["text of m1", "text of m2", "text of m3"]


def test_a_receiver_that_comes_back_gets_everything_in_order(publishing: Publishing) -> None:
    publishing.receiver.stop()
    publishing.subscribe()
    publishing.start()
    names = [f"m{number}" for number in range(2, 12)]
    publishing.receive(*names)
    until(lambda: publishing.standing().failed >= 2 and publishing.standing().waiting == 12)
    publishing.receiver.start()
    until(lambda: publishing.standing().delivered == 12)

    ada = format_id(builders.conversation_id("ada"))
    of_ada = [e for e in publishing.receiver.calls if e.body["payload"]["conversation_id"] == ada]
    assert texts(of_ada) == [f"text of {name}" for name in ("m1", *names)]
    assert publishing.standing().waiting == 0


def test_whoever_is_killed_loses_nothing(publishing: Publishing) -> None:
    publishing.subscribe()
    flaky = iter(range(1_000_000))
    publishing.receiver.decide = lambda _: Reply(503 if next(flaky) % 7 == 3 else 200)
    names = [f"k{number}" for number in range(60)]
    for kill in range(2):
        process = publishing.start()
        before = len(publishing.receiver.calls)
        for name in names[kill * 30 : kill * 30 + 30]:
            publishing.receive(name, contact=f"contact-{name[-1]}")
        until(lambda before=before: len(publishing.receiver.calls) > before + 15)  # type: ignore[misc]
        os.kill(process.pid, signal.SIGKILL)
    publishing.receiver.decide = lambda _: Reply()
    publishing.start()
    wanted = {f"text of {name}" for name in names}
    until(lambda: wanted <= set(texts(publishing.receiver.calls)))
    until(lambda: publishing.standing().waiting == 0)

    ids: dict[str, set[str]] = {}
    for each in publishing.receiver.calls:
        ids.setdefault(each.body["payload"]["message"]["id"], set()).add(each.event_id)
    assert {each: len(found) for each, found in ids.items() if len(found) != 1} == {}


def test_a_receiver_that_is_gone_is_called_no_more(publishing: Publishing) -> None:
    publishing.receiver.decide = lambda called: Reply(410 if called.path == "/" else 200)
    other = "6e52513b-cd5c-8b87-8a82-ae0220228603"
    publishing.subscribe()
    publishing.subscribe("/other", hook=other, events=("webhook.disabled",))
    publishing.start()
    until(lambda: publishing.receiver.at("/other"))
    stored = publishing.stored()
    [told] = publishing.receiver.at("/other")

    assert stored is not None
    assert (stored.status, stored.reason) == ("Unsubscribed", "it answered 410: gone")
    assert told.body["payload"] == {"id": HOOK, "name": None, "reason": stored.reason}
    called = len(publishing.receiver.at("/"))
    until(lambda: publishing.standing().dead == 2 and publishing.standing().waiting == 0)
    publishing.receiver.decide = lambda _: Reply()
    publishing.tell(UpdateWebhook(id=publishing.command(), webhook_id=HOOK, status="Subscribed"))
    publishing.tell(ReplayWebhook(id=publishing.command(), webhook_id=HOOK, failed_since=0))
    until(lambda: publishing.standing().delivered >= 2)
    assert len(publishing.receiver.at("/")) > called
    assert publishing.standing().dead == 0


def test_what_has_failed_for_three_days_is_given_up_and_can_be_told_again(
    publishing: Publishing,
) -> None:
    publishing.receiver.decide = lambda _: Reply(500)
    publishing.subscribe()
    process = publishing.start()
    until(lambda: publishing.standing().waiting == 2)
    process.end()
    publishing.has_failed(attempts=9)
    publishing.start()
    until(lambda: publishing.standing().dead == 2)

    assert publishing.standing().waiting == 0
    assert publishing.attempts()[-1].fate == "dead"
    publishing.receiver.decide = lambda _: Reply()
    publishing.tell(ReplayWebhook(id=publishing.command(), webhook_id=HOOK, failed_since=0))
    until(lambda: publishing.standing().delivered == 2)
    assert publishing.standing().dead == 0


def test_a_receiver_of_which_all_fails_for_five_days_is_called_no_more(
    publishing: Publishing,
) -> None:
    publishing.receiver.decide = lambda _: Reply(500)
    publishing.subscribe()
    process = publishing.start()
    until(lambda: publishing.standing().waiting == 2)
    process.end()
    publishing.has_failed(attempts=1, since=now_millis() - 5 * 86_400_000)
    publishing.start()
    until(lambda: (hook := publishing.stored()) and hook.status == "Unsubscribed")
    stored = publishing.stored()

    assert stored is not None
    assert stored.reason == "all calls have failed for five days"
    until(lambda: publishing.standing().dead == 2)


def test_a_receiver_that_asks_for_less_is_left_alone_for_a_while(publishing: Publishing) -> None:
    publishing.receiver.answers["/"].append(Reply(429, {"retry-after": "3"}))
    publishing.at_once = 1
    publishing.subscribe()
    publishing.start()
    until(lambda: len(publishing.receiver.calls) == 1)
    began = now_millis()
    until(lambda: publishing.standing().delivered == 2)

    assert now_millis() - began > 2_500


def test_who_is_paused_hears_of_it_later(publishing: Publishing) -> None:
    publishing.subscribe()
    publishing.start()
    until(lambda: publishing.standing().delivered == 2)
    publishing.tell(PauseWebhook(id=publishing.command(), webhook_id=HOOK))
    other = "6e52513b-cd5c-8b87-8a82-ae0220228603"
    publishing.subscribe("/other", hook=other)
    until(lambda: len(publishing.receiver.at("/other")) == 2)
    publishing.receive("m2")
    until(lambda: len(publishing.receiver.at("/other")) == 3)

    assert len(publishing.receiver.at("/")) == 2
    publishing.tell(ResumeWebhook(id=publishing.command(), webhook_id=HOOK))
    until(lambda: "text of m2" in texts(publishing.receiver.at("/")))
    assert len(publishing.receiver.at("/")) == 3


def test_what_waits_is_dropped_for_who_unsubscribes(publishing: Publishing) -> None:
    publishing.receiver.decide = lambda _: Reply(500)
    publishing.subscribe()
    publishing.start()
    until(lambda: publishing.standing().waiting == 2)
    publishing.tell(UnsubscribeWebhook(id=publishing.command(), webhook_id=HOOK))
    until(lambda: publishing.standing().waiting == 0)

    assert publishing.standing().dead == 0


def test_a_test_event_is_told_whatever_a_webhook_hears_of(publishing: Publishing) -> None:
    publishing.subscribe(events=("tag.updated",))
    publishing.tell(TestWebhook(id=publishing.command(), webhook_id=HOOK))
    publishing.start()
    until(lambda: publishing.standing().delivered == 1)
    [called] = publishing.receiver.calls

    assert called.kind == "webhook.test"
    assert called.body["payload"] == {"id": HOOK}


def test_one_event_or_a_range_is_told_again_with_its_id(publishing: Publishing) -> None:
    publishing.subscribe()
    publishing.start()
    until(lambda: publishing.standing().delivered == 2)
    first = publishing.receiver.calls[0].event_id
    again = ReplayWebhook(id=publishing.command(), webhook_id=HOOK, event_id=first)
    publishing.tell(again)
    until(lambda: publishing.standing().delivered == 3)
    assert publishing.receiver.calls[2].event_id == first

    publishing.tell(ReplayWebhook(id=publishing.command(), webhook_id=HOOK, since=0))
    until(lambda: publishing.standing().delivered == 5)
    ids = [each.event_id for each in publishing.receiver.calls]
    assert sorted(ids[3:]) == sorted(ids[:2])


def test_only_conversations_that_a_filter_finds_are_told(publishing: Publishing) -> None:
    ada = format_id(builders.conversation_id("ada"))
    publishing.subscribe(filter=f"id:{ada}")
    publishing.subscribe("/all", hook="6e52513b-cd5c-8b87-8a82-ae0220228603")
    publishing.start()
    publishing.receive("m2", contact="bob")
    publishing.receive("m3", contact="ada")
    until(lambda: len(publishing.receiver.at("/all")) == 4)
    until(lambda: len(publishing.receiver.at("/")) == 2)

    assert texts(publishing.receiver.at("/")) == ["text of m1", "text of m3"]


def test_a_webhook_that_hangs_holds_up_no_other(publishing: Publishing) -> None:
    let_go = Event()
    publishing.receiver.decide = lambda called: Reply(
        held_until=let_go if called.path == "/" else None
    )
    publishing.subscribe()
    publishing.subscribe("/other", hook="6e52513b-cd5c-8b87-8a82-ae0220228603")
    publishing.start()
    until(lambda: len(publishing.receiver.at("/other")) == 2)

    assert len(publishing.receiver.at("/")) <= 2
    publishing.tell(UnsubscribeWebhook(id=publishing.command(), webhook_id=HOOK))
    began = now_millis()
    publishing.subscribe("/third", hook="7f63624c-de6d-8c98-8b93-bf1331339704")
    until(lambda: len(publishing.receiver.at("/third")) == 2)
    assert now_millis() - began < 2_900
    let_go.set()


def test_the_log_gets_no_record_of_deliveries(publishing: Publishing) -> None:
    publishing.subscribe()
    publishing.start()
    until(lambda: publishing.standing().delivered == 2)
    with closing(LogTail(publishing.post.own.directory, is_read_only=True)) as tail:
        assert tail.head == 2
    assert json.loads(publishing.receiver.calls[0].raw)
