"""The courier at work, in its own process, between an owner and played platforms; without Ray."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import msgspec
import pytest

from airy_ray.clock import now_millis
from airy_ray.cluster.bots import AnyBot
from airy_ray.cluster.delivering import DeliveringProcess
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.sendings import CUSTOM, Sendings
from airy_ray.model.channel import Channel
from airy_ray.model.commands import CreateSource, ResendMessage, SendMessage
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource, conversation_id
from airy_ray.model.events import ChannelStored, MessageReceived, Place
from airy_ray.model.ids import (
    REGISTRY,
    CommandId,
    ConversationId,
    MessageId,
    channel_id,
    format_id,
    message_of_command,
)
from airy_ray.model.message import Message
from airy_ray.partition.fold import encode_event
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections.view import WantedProfile
from airy_ray.rawlog.tail import LogTail
from airy_ray.serve.ports import free_port
from airy_ray.sources.custom_sending import CustomSending, signature
from airy_ray.sources.custom_token import token_of
from airy_ray.sources.facebook_sending import FacebookSending
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.whatsapp_sending import WhatsappSending
from tests import builders, manifests
from tests.e2e import platforms
from tests.e2e.platforms import ACTION, CUT_OFF, GOOGLE_TOKEN, Answer, GraphApi
from tests.log_builders import append, spec, webhook
from tests.unit.cluster.test_owner import running, until

T = TypeVar("T")

TOKEN = "EAApage"
SOURCE_KEY = b"a key of this installation, long enough"
AGENT = "an-agent"
REFUSAL = manifests.body("facebook", "out_error_unavailable.json")
RATE_LIMIT = manifests.body("facebook", "out_error_rate.json")


class Post:
    """A partition with its owner, the registry, platforms, and a courier between them."""

    def __init__(self, own: PartitionSpec, registry: PartitionSpec, api: GraphApi) -> None:
        self.own = own
        self.registry = registry
        self.api = api
        self.courier: DeliveringProcess | None = None
        self.tail = LogTail(own.directory, is_read_only=True)
        self._reader = PartitionReader(self.tail)
        self._commands = 0

    @property
    def sendings(self) -> Sendings:
        messenger = FacebookSending(self.api.url, "v25.0", False, 300.0)
        account = platforms.service_account(self.api.url)
        return {
            "facebook": messenger,
            "google": GoogleSending(self.api.url, self.api.url, account),
            CUSTOM: CustomSending(SOURCE_KEY),
            "whatsapp": WhatsappSending(self.api.url, "v25.0"),
        }

    def start(
        self, sendings: Sendings | None = None, bots: Sequence[AnyBot] = ()
    ) -> DeliveringProcess:
        """Start the courier, once more if it was killed."""
        self.courier = DeliveringProcess(
            [self.own, self.registry],
            self.own.directory.parent,
            Duties(sendings or self.sendings, bots=list(bots)),
        )
        return self.courier

    def connect(self, channel: Channel) -> None:
        body = encode_event(ChannelStored(channel, {}))
        append(self.registry.directory, [builders.record(body, kind="outcome", source="")])

    def send(
        self,
        text: Any,
        *,
        contact: str = "ada",
        source: str = "facebook",
        page: str = builders.PAGE,
        at: int | None = None,
        is_opening: bool = False,
    ) -> MessageId:
        """Have a user write a message."""
        self._commands += 1
        command = CommandId(builders.command_id(f"{self._commands}"))
        channel = channel_id(source, page)
        conversation = conversation_id(source, channel, contact)
        named = {} if not is_opening else {"recipient_id": contact}
        asked = SendMessage(
            id=format_id(command),
            principal="agent",
            conversation_id=format_id(conversation),
            message=msgspec.Raw(json.dumps({"text": text}).encode()),
            channel_id=format_id(channel),
            source=source,
            **named,
        )
        if not is_opening:  # a conversation that the contact began
            asked = msgspec.structs.replace(asked, channel_id=None, source=None)
        self.tell(asked, at)
        return message_of_command(command, conversation)

    def resend(self, identifier: MessageId) -> None:
        self._commands += 1
        command = format_id(builders.command_id(f"{self._commands}"))
        asked = ResendMessage(id=command, principal="agent", message_id=format_id(identifier))
        self.tell(asked, None)

    def tell(self, asked: SendMessage | ResendMessage, at: int | None) -> None:
        record = builders.command_record(asked, at=now_millis() if at is None else at)
        append(self.own.directory, [record])

    def ask(self, query: Callable[..., T], *args: Any) -> T:
        """Ask the state something."""
        with self._reader.read() as view:
            return query(view, *args)

    def message(self, identifier: MessageId) -> Message | None:
        with self._reader.read() as view:
            return view.message(identifier)

    def conversation(self, identifier: ConversationId) -> Conversation | None:
        with self._reader.read() as view:
            return view.conversation(identifier)

    def wanted_profile(self, identifier: ConversationId) -> WantedProfile | None:
        with self._reader.read() as view:
            return view.wanted_profile(identifier)

    def state(self, identifier: MessageId) -> str:
        found = self.message(identifier)
        return "" if found is None else found.delivery_state

    def pending(self) -> list[MessageId]:
        """Return the messages of which the courier has still to tell something."""
        with self._reader.read() as view:
            return [identifier for identifier, _ in view.dispatches()]

    def settled(self, identifier: MessageId) -> Any:
        """Return the metadata of a message once it is not pending any more."""
        until(lambda: self.state(identifier) in ("delivered", "failed"))
        found = self.message(identifier)
        assert found is not None
        return {"state": found.delivery_state, **json.loads(found.metadata)}

    def texts(self) -> list[str]:
        """Return what reached the platforms, oldest first."""
        return [each.text for each in self.api.sent]

    def close(self) -> None:
        if self.courier is not None:
            self.courier.end()
        self._reader.close()
        self.tail.close()


@contextmanager
def working(directory: Path) -> Iterator[Post]:
    own, registry = spec(directory), spec(directory, index=REGISTRY)
    with ExitStack() as stack:
        for each in (own, registry):
            each.directory.mkdir(parents=True)
            owner = stack.enter_context(running(each, own.directory.parent))
            until(lambda owner=owner: owner.partition)  # type: ignore[misc]
        api = stack.enter_context(platforms.graph_api())
        post = stack.enter_context(closing(Post(own, registry, api)))
        post.connect(builders.channel(token=TOKEN))
        post.connect(builders.channel(AGENT, source="google", token=None))
        append(own.directory, [webhook("m1", contact=each) for each in ("ada", "bob")])
        yield post


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with working(tmp_path) as found:
        yield found


def test_a_message_is_delivered(post: Post) -> None:
    sent = post.send("Hello")
    post.start()
    told = post.settled(sent)
    [taken] = post.api.sent

    assert told == {"state": "delivered", "source": {"id": taken.known_as}}
    assert (taken.path, taken.token) == ("/v25.0/me/messages", TOKEN)
    assert taken.body["recipient"] == {"id": "ada"}
    assert taken.body["message"] == {"text": "Hello"}


def test_what_is_sent_while_the_courier_runs_is_delivered_too(post: Post) -> None:
    post.start()
    assert post.settled(post.send("first"))["state"] == "delivered"
    assert post.settled(post.send("second"))["state"] == "delivered"
    assert post.texts() == ["first", "second"]


def test_what_a_platform_refuses_fails_and_says_why(post: Post) -> None:
    post.api.answers["Hello"].append(Answer(400, REFUSAL))
    post.start()
    sent = post.send("Hello")

    reason = "(#551) This person isn't available right now."
    assert post.settled(sent) == {
        "state": "failed",
        "error": reason,
        "source": {"error": REFUSAL.decode()},
    }
    post.resend(sent)
    until(lambda: post.state(sent) == "delivered")
    assert post.texts() == ["Hello", "Hello"]


def test_messages_of_a_conversation_are_sent_in_order_others_beside_them(post: Post) -> None:
    let_go = Event()
    taken = Answer(200, b'{"message_id":"m_slow"}', held_until=let_go)
    post.api.answers["1"].append(taken)
    ours = [post.send(f"{number}") for number in range(1, 6)]
    other = post.send("beside", contact="bob")
    post.start()

    until(lambda: post.state(other) == "delivered")
    assert sorted(post.texts()) == ["1", "beside"]
    let_go.set()
    assert [post.settled(each)["state"] for each in ours] == ["delivered"] * 5
    assert [text for text in post.texts() if text != "beside"] == ["1", "2", "3", "4", "5"]


def test_what_may_pass_is_tried_again_before_what_follows(post: Post) -> None:
    post.api.answers["first"].append(Answer(400, RATE_LIMIT))
    post.api.answers["first"].append(Answer(503, b"busy", {"retry-after": "2"}))
    first, second = post.send("first"), post.send("second")
    began = now_millis()
    post.start()

    assert post.settled(first)["state"] == post.settled(second)["state"] == "delivered"
    assert post.texts() == ["first", "first", "first", "second"]
    assert now_millis() - began > 1_000 + 2_000


def test_what_may_pass_and_does_not_fails_in_the_end(post: Post) -> None:
    post.api.answers["late"].append(Answer(400, RATE_LIMIT))
    sent = post.send("late", at=now_millis() - 299_500)
    post.start()
    told = post.settled(sent)

    assert told["state"] == "failed"
    assert told["error"] in (
        "(#613) Calls to this api have exceeded the rate limit.",
        "Message expired: not sent within 300 seconds",
    )


def test_what_is_too_old_is_not_sent(post: Post) -> None:
    sent = post.send("old", at=now_millis() - 302_000)
    post.start()

    assert post.settled(sent)["error"] == "Message expired: not sent within 300 seconds"
    assert post.texts() == []
    post.resend(sent)
    until(lambda: post.state(sent) == "delivered")


def test_nobody_is_written_to_who_has_not_written(post: Post) -> None:
    sent = post.send("Hello", contact="carol", is_opening=True)
    post.start()

    assert post.settled(sent)["error"] == "No recipient"
    assert post.texts() == []


@pytest.mark.parametrize("channel", [{"connected": False}, {"token": None}])
def test_nothing_is_sent_on_a_channel_that_is_not_connected(
    post: Post, channel: dict[str, Any]
) -> None:
    post.connect(builders.channel(**channel))
    sent = post.send("Hello")
    post.start()

    assert post.settled(sent)["error"] == "Channel not connected"
    assert post.texts() == []


def test_a_token_that_a_platform_quotes_is_not_shown(post: Post) -> None:
    refusal = json.dumps({"error": {"message": f"{TOKEN} is bad", "code": 190}}).encode()
    post.api.answers["Hello"].append(Answer(400, refusal))
    post.start()
    sent = post.send("Hello")
    told = post.settled(sent)

    assert told["error"] == "… is bad"
    assert TOKEN not in json.dumps(told)


def test_a_channel_says_that_its_token_has_ended_until_it_has_another(post: Post) -> None:
    refusal = {"error": {"message": "Session has expired", "code": 190}}
    post.api.answers["Hello"].append(Answer(400, json.dumps(refusal).encode()))
    post.start()
    sent = post.send("Hello")
    assert post.settled(sent)["error"] == "Session has expired"

    with (
        closing(LogTail(post.registry.directory, is_read_only=True)) as tail,
        closing(PartitionReader(tail)) as reader,
    ):

        def told() -> Any:
            channel = Registry(reader).channel(builders.channel().id)
            return None if channel is None else json.loads(channel.metadata).get("token")

        assert told() == {"error": "Session has expired"}
        post.connect(builders.channel(token="another"))
        until(lambda: told() is None)


def test_who_answers_nothing_may_have_taken_it(post: Post) -> None:
    post.api.answers["Hello"].append(Answer(CUT_OFF, b""))
    sent = post.send("Hello")
    post.start()
    told = post.settled(sent)

    assert told["state"] == "failed"
    assert told["error"].startswith("delivery uncertain: ServerDisconnectedError")
    assert post.texts() == ["Hello"]


def test_who_cannot_be_reached_has_not_taken_it(post: Post) -> None:
    nobody = FacebookSending(f"http://127.0.0.1:{free_port()}", "v25.0", False, 300.0)
    sent = post.send("Hello")
    post.start({"facebook": nobody})
    until(lambda: attempts(post, sent) >= 2)
    assert post.courier is not None
    post.courier.end()
    post.start()

    assert post.settled(sent)["state"] == "delivered"
    assert post.texts() == ["Hello"]


def attempts(post: Post, identifier: MessageId) -> int:
    with post._reader.read() as view:
        dispatch = view.dispatch(identifier)
    return 0 if dispatch is None else dispatch.attempts


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_killed_courier_sends_nothing_twice(post: Post, is_answered: bool) -> None:
    let_go = Event()
    post.api.answers["Hello"].append(Answer(200, b'{"message_id":"m_1"}', held_until=let_go))
    killed = post.start()
    sent, following = post.send("Hello"), post.send("after it")
    until(lambda: post.texts() == ["Hello"])
    os.kill(killed.pid, signal.SIGKILL)
    killed.end()
    let_go.set()
    post.start()

    told = post.settled(sent)
    assert told["state"] == "failed"
    assert told["error"].startswith("delivery uncertain")
    assert post.settled(following)["state"] == "delivered"
    assert post.texts() == ["Hello", "after it"]


def test_where_the_platform_knows_its_id_a_message_is_sent_again(post: Post) -> None:
    let_go = Event()
    post.api.answers["Hello"].append(Answer(200, b"{}", held_until=let_go))
    begin_with_google(post)
    killed = post.start()
    sent = post.send("Hello", source="google", page=AGENT)
    until(lambda: post.texts() == ["Hello"])
    os.kill(killed.pid, signal.SIGKILL)
    killed.end()
    let_go.set()
    post.start()

    known_as = format_id(sent)
    assert post.settled(sent) == {"state": "delivered", "source": {"id": known_as}}
    assert [(each.known_as, each.token) for each in post.api.sent] == [(known_as, GOOGLE_TOKEN)] * 2


def begin_with_google(post: Post) -> None:
    """Have a contact write to the agent."""
    begin(post, builders.place(page=AGENT, source="google"))


def begin(post: Post, place: Place) -> None:
    message = msgspec.structs.replace(
        builders.message("g1"),
        conversation_id=place.conversation_id,
        channel_id=place.channel_id,
        source=place.source,
    )
    body = encode_event(MessageReceived(place, message))
    append(post.own.directory, [builders.record(body, kind="outcome", source="")])


def test_a_token_of_google_is_asked_for_once(post: Post) -> None:
    begin_with_google(post)
    post.start()
    for number in range(3):
        sent = post.send(f"{number}", source="google", page=AGENT)
        assert post.settled(sent)["state"] == "delivered"

    asked = [path for _, path, _ in post.api.calls if path == "/token"]
    assert len(asked) == 1


def begin_with_crm(post: Post, *, has_endpoint: bool = True) -> CustomSource:
    """Have a custom source made, and one of its contacts write; return the source."""
    endpoint = f"{post.api.url}{ACTION}" if has_endpoint else None
    asked = CreateSource(
        id=format_id(builders.command_id("crm")), source_id="crm", action_endpoint=endpoint
    )
    append(post.registry.directory, [builders.command_record(asked, at=now_millis())])
    channel = builders.channel("shop", source="crm", token=None)
    post.connect(channel)
    begin(post, Place(conversation_id("crm", channel.id, "ada"), channel.id, "crm", "ada"))
    return registered(post, "crm")


def registered(post: Post, source: str) -> CustomSource:
    """Return a custom source as the registry has it, once it does."""
    with ExitStack() as stack:
        tail = stack.enter_context(closing(LogTail(post.registry.directory, is_read_only=True)))
        reader = stack.enter_context(closing(PartitionReader(tail)))

        def found() -> CustomSource | None:
            with reader.read() as view:
                return view.source(source)

        until(lambda: found() is not None)
        made = found()
    assert made is not None
    return made


def test_the_program_of_a_custom_source_is_called_and_signed_to(post: Post) -> None:
    source = begin_with_crm(post)
    answer = {"source_message_id": "a-1", "metadata": {"receipt": {"ticket": "T-9", "n": 2}}}
    post.api.answers["Hello"].append(Answer(200, json.dumps(answer).encode()))
    post.start()
    sent = post.send("Hello", source="crm", page="shop", at=now_millis() - 400_000)

    assert post.settled(sent) == {
        "state": "delivered",
        "source": {"id": "a-1"},
        "receipt": {"ticket": "T-9", "n": 2.0},
    }
    [taken] = post.api.sent
    assert taken.token == signature(taken.raw, token_of(source, SOURCE_KEY))
    assert taken.body["payload"]["message"]["id"] == format_id(sent)
    assert taken.body["payload"]["conversation"]["source_channel_id"] == "shop"


def test_what_a_custom_source_does_not_take_is_not_tried_again(post: Post) -> None:
    begin_with_crm(post)
    post.api.answers["Hello"].append(Answer(503, b'{"error":"not now"}'))
    post.start()
    sent = post.send("Hello", source="crm", page="shop")

    assert post.settled(sent) == {
        "state": "failed",
        "error": "not now",
        "source": {"error": '{"error":"not now"}'},
    }
    assert post.texts() == ["Hello"]


def test_a_custom_source_without_an_endpoint_gets_nothing(post: Post) -> None:
    begin_with_crm(post, has_endpoint=False)
    post.start()
    sent = post.send("Hello", source="crm", page="shop")

    assert post.settled(sent) == {"state": "failed", "error": "Source has no action endpoint"}


def test_a_second_courier_waits_for_the_first(post: Post) -> None:
    first = post.start()
    assert post.settled(post.send("one"))["state"] == "delivered"
    second = post.start()
    sent = post.send("two")
    assert post.settled(sent)["state"] == "delivered"
    first.end()
    assert post.settled(post.send("three"))["state"] == "delivered"
    second.end()
    assert post.texts() == ["one", "two", "three"]


def test_a_source_that_hangs_holds_up_no_other(post: Post) -> None:
    let_go = Event()
    contacts = [f"c{number}" for number in range(40)]
    append(post.own.directory, [webhook(f"w-{each}", contact=each) for each in contacts])
    begin_with_google(post)
    post.api.answers["stuck"].extend([Answer(200, b"{}", held_until=let_go)] * len(contacts))
    stuck = [post.send("stuck", contact=each) for each in contacts]
    post.start()
    until(lambda: len(post.texts()) == 32)

    sent = post.send("free", source="google", page=AGENT)
    assert post.settled(sent)["state"] == "delivered"
    assert post.texts().count("stuck") == 32
    let_go.set()
    told = [post.settled(each) for each in stuck]
    assert [each for each in told if each["state"] != "delivered"] == []


def test_a_restart_finds_what_is_pending_in_its_order(post: Post) -> None:
    ours = [post.send(f"{number}") for number in range(30)]
    until(lambda: post.state(ours[-1]) == "pending")
    post.start()

    assert post.settled(ours[-1])["state"] == "delivered"
    assert post.texts() == [f"{number}" for number in range(30)]
