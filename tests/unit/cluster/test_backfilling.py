"""The past of a page, fetched from a played Graph API, by processes that are killed meanwhile."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis, now_millis
from airy_ray.cluster import backfilling
from airy_ray.cluster.backfill_spec import BackfillSpec
from airy_ray.cluster.delivering import DeliveringProcess
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.machine import Machine, MachineSpec
from airy_ray.model.channel import Backfill, Channel
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import ChannelDisconnected, ChannelStored, MessageReceived
from airy_ray.model.ids import REGISTRY, format_id, owner_of
from airy_ray.model.message import Message
from airy_ray.partition.reader import PartitionReader
from airy_ray.rawlog.tail import LogTail
from airy_ray.simulator.graph_api import USER_TOKEN, GraphApi, GraphServer
from airy_ray.simulator.graph_messages import GraphError
from airy_ray.simulator.graph_past import PastConversation, PastMessage
from airy_ray.sources.sending import Pace
from tests import builders
from tests.unit.cluster.couriers import until_done
from tests.unit.cluster.machines import owned_machine
from tests.unit.cluster.test_number_joining import COUNT, tell
from tests.unit.cluster.test_owner import LONG_S, until

LONG_AGO_S = builders.NOW // 1_000
PEOPLE = ("ada", "bob", "carol", "dora", "eve")


class Shop:
    """A page with a past, which is being connected on a machine."""

    def __init__(self, machine: MachineSpec, stack: ExitStack) -> None:
        self.machine = machine
        self.graph = GraphApi([builders.PAGE], app_id="1", app_secret="s3cret")
        self.past = self.graph.past
        self.past.told_max = 1_000
        self.server = stack.enter_context(GraphServer(self.graph, 0))
        self._readers = {}
        for each in machine.partitions:
            tail = stack.enter_context(closing(LogTail(each.directory, is_read_only=True)))
            self._readers[each.index] = stack.enter_context(closing(PartitionReader(tail)))

    @property
    def token(self) -> str:
        page: dict[str, str] = self.graph.page(builders.PAGE, {"access_token": USER_TOKEN})
        return page["access_token"]

    def spec(self, **changed: Any) -> BackfillSpec:
        wished = {"conversations_max": 100, "messages_max": 100} | changed
        return BackfillSpec(f"http://127.0.0.1:{self.server.port}/v25.0", **wished)

    def connect(self) -> None:
        channel = msgspec.structs.replace(
            builders.channel(token=self.token), backfill=Backfill(now_millis())
        )
        tell(self.machine, REGISTRY, ChannelStored(channel, {}))
        until(lambda: self._channel() is not None)

    def disconnect(self) -> None:
        gone = ChannelDisconnected(builders.channel().id, now_millis())
        tell(self.machine, REGISTRY, gone)
        until(lambda: not self.channel().connected)

    def write(self, contact: str, *messages: PastMessage, unread: int = 0) -> None:
        """Have somebody and the page write to one another before the page is connected."""
        conversation = PastConversation(contact, messages, unread)
        kept = [each for each in self.past.kept[builders.PAGE] if each.contact != contact]
        self.past.kept[builders.PAGE] = [*kept, conversation]

    def receive(self, contact: str, name: str) -> None:
        """Have a webhook tell of a message."""
        event = builders.message_received(name, contact=contact, sent_at=builders.NOW + 999)
        owner = owner_of(event.place.conversation_id, COUNT)
        tell(self.machine, owner, MessageReceived(event.place, event.message))

    def channel(self) -> Channel:
        found = self._channel()
        assert found is not None
        return found

    def told(self) -> Any:
        """Return what the channel shows of its past."""
        return json.loads(self.channel().metadata).get("backfill", {})

    def is_over(self) -> bool:
        return self.channel().backfill is None

    def conversation(self, contact: str) -> Conversation | None:
        identifier = builders.conversation_id(contact)
        with self._readers[owner_of(identifier, COUNT)].read() as view:
            return view.conversation(identifier)

    def messages(self, contact: str) -> list[Message]:
        """Return what was written, oldest first."""
        identifier = builders.conversation_id(contact)
        with self._readers[owner_of(identifier, COUNT)].read() as view:
            return view.messages(identifier, None, 1_000)[::-1]

    def names(self, contact: str) -> list[str | None]:
        return [each.source_message_id for each in self.messages(contact)]

    def has_all(self) -> bool:
        """Whether every message is here, once, and in order."""
        return all(
            self.names(each.contact) == [message.known_as for message in each.messages]
            for each in self.past.kept[builders.PAGE]
        )

    def backfill(self, is_done: Callable[[], bool] | None = None, **changed: Any) -> None:
        """Fetch in this process until something is done, or all."""
        done = is_done or (lambda: self.is_over() and self.has_all())

        async def main() -> None:
            with closing(Machine(self.machine, appends_seldom=True)) as opened:
                fetching = asyncio.create_task(
                    backfilling.backfill(
                        self.spec(**changed), opened.partitions, opened.appender, opened.registry
                    )
                )
                async with asyncio.timeout(LONG_S):
                    await until_done(done)
                fetching.cancel()
                await asyncio.wait([fetching])

        asyncio.run(main())

    def _channel(self) -> Channel | None:
        with self._readers[REGISTRY].read() as view:
            return view.channel(builders.channel().id)

    def logs(self) -> bytes:
        """Return all bytes of all partitions but the registry, which has the token."""
        specs = self.machine.partitions
        directories = [each.directory for each in specs if each.index != REGISTRY]
        files = [file for each in directories for file in each.rglob("*") if file.is_file()]
        return b"".join(file.read_bytes() for file in files)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        machine = stack.enter_context(owned_machine(tmp_path, COUNT, lambda _: builders.channel()))
        yield Shop(machine, stack)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody wait longer than the platform wishes."""
    monkeypatch.setattr(backfilling, "_PACE", Pace(1_000.0, "history"))
    monkeypatch.setattr(backfilling, "_WAITS_S", (0.0,) * 4)


def dialogue(contact: str, count: int, *, at_s: int = LONG_AGO_S) -> list[PastMessage]:
    """Return messages of both, the last from the contact."""
    return [
        PastMessage(f"{contact}-{number}", at_s + number // 3, (count - number) % 2 == 0, "Hi")
        for number in range(count)
    ]


@pytest.mark.usefixtures("hurried")
def test_all_that_was_written_is_here(shop: Shop) -> None:
    for number, contact in enumerate(PEOPLE):
        shop.write(contact, *dialogue(contact, 1 + 15 * number), unread=1)
    shop.connect()
    shop.backfill()

    assert {owner_of(builders.conversation_id(each), COUNT) for each in PEOPLE} == {0, 1}
    for contact in PEOPLE:
        found = shop.conversation(contact)
        assert found is not None
        assert (found.unread_count, found.created_at // 1_000) == (1, LONG_AGO_S)
    assert shop.told() == {"state": "done", "conversations": 5.0, "messages": 155.0}
    assert shop.token.encode() not in b"".join(each.content for each in shop.messages("eve"))


@pytest.mark.usefixtures("hurried")
def test_its_log_lines_and_logs_tell_no_token(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.write("ada", *dialogue("ada", 40))
    shop.connect()
    with caplog.at_level("INFO", logger="airy_ray"):
        shop.backfill(lambda: "which is all" in caplog.text)

    name = format_id(builders.channel().id)
    told = f"channel {name}: of its past 1 conversations with 40 messages are here, which is all"
    assert [each.getMessage() for each in caplog.records if "past" in each.getMessage()] == [told]
    assert b"ada-39" in shop.logs()
    assert shop.token.encode() not in shop.logs()


@pytest.mark.usefixtures("hurried")
def test_what_webhooks_told_is_not_there_again(shop: Shop) -> None:
    shop.write("ada", *dialogue("ada", 2))
    shop.receive("ada", "ada-1")
    until(lambda: shop.names("ada"))
    shop.connect()
    shop.backfill()
    shop.receive("ada", "ada-0")
    shop.receive("ada", "new")
    until(lambda: len(shop.names("ada")) > 2)

    assert sorted(shop.names("ada"), key=str) == ["ada-0", "ada-1", "new"]


@pytest.mark.usefixtures("hurried")
def test_no_more_is_fetched_than_is_wished(shop: Shop) -> None:
    for number, contact in enumerate(PEOPLE):
        shop.write(contact, *dialogue(contact, 60, at_s=LONG_AGO_S + 1_000 * number))
    shop.connect()
    shop.backfill(shop.is_over, conversations_max=2, messages_max=30)
    until(lambda: len(shop.names("eve")) == len(shop.names("dora")) == 30)

    assert [len(shop.names(each)) for each in PEOPLE] == [0, 0, 0, 30, 30]
    assert shop.names("eve")[-1] == "eve-59"
    assert shop.told() == {"state": "done", "conversations": 2.0, "messages": 60.0}


@pytest.mark.usefixtures("hurried")
def test_a_pause_that_the_platform_asks_for_is_kept(shop: Shop) -> None:
    shop.write("ada", *dialogue("ada", 40))
    busy = GraphError(4, "(#4) Application request limit reached", status=429, after_s=1)
    shop.past.troubles.append(busy)
    shop.connect()
    began_s = time.monotonic()
    shop.backfill()

    assert time.monotonic() - began_s >= 1.0
    assert [each[0] for each in shop.past.asked] == [builders.PAGE, builders.PAGE, "t_ada"]


@pytest.mark.usefixtures("hurried")
def test_less_is_asked_for_after_each_failure_until_it_goes(shop: Shop) -> None:
    for contact in PEOPLE:
        shop.write(contact, *dialogue(contact, 2))
    shop.past.troubles += [GraphError(1, "Please reduce the amount", status=500)] * 3
    shop.connect()
    shop.backfill()

    assert [limit for _, _, limit in shop.past.asked][:5] == ["8", "4", "2", "1", "8"]


@pytest.mark.usefixtures("hurried")
def test_what_does_not_pass_is_given_up_and_says_why(shop: Shop) -> None:
    shop.write("ada", *dialogue("ada", 2))
    shop.connect()
    shop.past.troubles.append(GraphError(190, f"{shop.token} is no token", status=401))
    shop.backfill(shop.is_over)

    assert shop.told() == {
        "state": "failed",
        "error": "… is no token",
        "conversations": 0.0,
        "messages": 0.0,
    }


@pytest.mark.usefixtures("hurried")
def test_what_fails_again_and_again_is_given_up(shop: Shop) -> None:
    shop.past.troubles += [GraphError(2, "down", status=503)] * 5
    shop.connect()
    shop.backfill(shop.is_over)

    assert shop.told()["state"] == "failed"
    assert len(shop.past.asked) == 5


@pytest.mark.usefixtures("hurried")
def test_a_conversation_that_is_told_in_part_holds_up_no_other(shop: Shop) -> None:
    shop.past.told_max = 20
    for contact in PEOPLE[:2]:
        shop.write(contact, *dialogue(contact, 50))
    shop.connect()
    shop.backfill(shop.is_over)
    until(lambda: all(len(shop.names(each)) == 20 for each in PEOPLE[:2]))


def test_a_channel_that_was_disconnected_meanwhile_is_left_alone(shop: Shop) -> None:
    shop.write("ada", *dialogue("ada", 40))
    shop.connect()
    held = shop.past.hold()

    def is_gone() -> bool:
        if shop.past.asked and not held.done():
            shop.disconnect()
            held.set_result(None)
        return held.done() and not shop.channel().connected

    shop.backfill(is_gone)
    assert shop.told() == {"state": "stopped"}
    assert shop.conversation("ada") is None

    shop.connect()
    shop.backfill()


@pytest.mark.usefixtures("hurried")
def test_a_conversation_that_moves_to_the_front_meanwhile_is_not_missed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfilling, "_CONVERSATIONS_AT_ONCE", 1)
    for number, contact in enumerate(PEOPLE[:3]):
        shop.write(contact, *dialogue(contact, 2, at_s=LONG_AGO_S - 1_000 * number))
    shop.connect()
    held = shop.past.hold()

    def is_done() -> bool:
        if shop.past.asked and not held.done():
            now_s = now_millis() // 1_000
            shop.write("carol", *dialogue("carol", 2), PastMessage("new", now_s, text="Hi"))
            held.set_result(None)
        return shop.is_over() and shop.has_all()

    shop.backfill(is_done)


def killed(process: DeliveringProcess) -> None:
    process._process.kill()
    process.end()


@pytest.mark.parametrize("call", range(1, 5))
def test_who_is_killed_is_followed_by_who_goes_on(shop: Shop, call: int) -> None:
    """Killed while the platform holds the answer to each call: one list, three conversations."""
    for contact in PEOPLE[:3]:
        shop.write(contact, *dialogue(contact, 30), unread=1)
    shop.connect()
    duties = Duties(backfilling=shop.spec())
    held = shop.past.hold()

    def start() -> DeliveringProcess:
        return DeliveringProcess(shop.machine.partitions, shop.machine.run_directory, duties)

    process = start()
    try:
        until(lambda: shop.past.asked)
        for number in range(2, call + 1):
            before, held = held, shop.past.hold()
            before.set_result(None)
            until(lambda number=number: len(shop.past.asked) == number)  # type: ignore[misc]
        killed(process)
        held.set_result(None)
        process = start()
        until(lambda: shop.is_over() and shop.has_all())
    finally:
        process.end()
    assert shop.told() == {"state": "done", "conversations": 3.0, "messages": 90.0}
    assert {each.unread_count for each in map(shop.conversation, PEOPLE[:3]) if each} == {1}
    assert Millis(0) not in {each.sent_at for each in shop.messages("ada")}
