"""`ledger.*` and `quarantine.*`: endpoints over partitions at work, without Ray."""

import asyncio
import dataclasses
import json
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airy_ray.clock import now_micros
from airy_ray.cluster.commands import Commands
from airy_ray.cluster.machine import Machine, MachineSpec
from airy_ray.config import Settings
from airy_ray.errors import AiryError
from airy_ray.model.channel import Channel
from airy_ray.model.events import Event
from airy_ray.model.ids import REGISTRY, ChannelId, PartitionIndex, format_id
from airy_ray.partition import fold
from airy_ray.partition.repair import FORWARDED
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project
from airy_ray.projections.view import AuditEntry, View
from airy_ray.rawlog.record import ERASED, Offset, Record
from airy_ray.rawlog.tail import LogTail
from airy_ray.serve import problems
from airy_ray.serve.api.app import ENDPOINTS
from airy_ray.serve.api.endpoint import parsed
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.source import Webhook
from airy_ray.state.queries import Reading
from tests import builders
from tests.builders import ADA, NOW
from tests.log_builders import append, messenger_item
from tests.unit.cluster.machines import owned_machine

COUNT = 2
LONG_S = 30.0
PRINCIPAL = "token:ada"


class System:
    """Partitions with their owners on threads of this process, and who calls the API."""

    def __init__(self, spec: MachineSpec, channels: dict[ChannelId, Channel]) -> None:
        self.spec = spec
        self.channels = channels

    def receive(self, name: str = "m1", *, at: int = NOW, routed: bool = True) -> str:
        """Store what a contact writes, routed as a webhook is; return what names its record."""
        body = messenger_item(name, ADA, at=at)
        lookup = (lambda _: builders.channel()) if routed else self.channels.get
        return self.append(record_of(Facebook("secret"), Webhook(body, {}), lookup, now_micros()))

    def append(self, record: Record, index: int | None = None) -> str:
        """Store a record, and wait until it is folded; return what names it."""
        if index is None:
            (index,) = partitions_of(record, COUNT)
        spec = self.spec.partition(PartitionIndex(index))
        offset = append(spec.directory, [record])
        self.settle()
        return f"{spec.name}:{offset}"

    def settle(self) -> None:
        """Wait until all is folded and forwarded."""
        self.use(self._settled)

    async def _settled(self, platform: Platform) -> None:
        heads: list[int] = []
        while heads != (heads := self._heads(platform)):
            for access, head in zip(platform.machine.partitions.values(), heads, strict=True):
                assert await access.wait(Offset(head - 1), LONG_S)
            for own, tail in platform.machine.appender.tails.items():
                await self._forwarded(platform, own, tail)

    async def _forwarded(self, platform: Platform, own: PartitionIndex, tail: LogTail) -> None:
        """Wait until what one partition has for others is in their logs."""
        deadline = time.monotonic() + LONG_S
        while (last := await platform.machine.partitions[own].ask(_last_outgoing)) is not None:
            if int.from_bytes(tail.get(FORWARDED) or b"", "big") > last:
                return
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)

    def _heads(self, platform: Platform) -> list[int]:
        return [tail.head for tail in platform.machine.appender.tails.values()]

    def call(self, path: str, **asked: Any) -> Any:
        """Return what an endpoint answers: its body, else its status."""
        return self.calls((path, asked))[0]

    def calls(self, *asked: tuple[str, dict[str, Any]]) -> list[Any]:
        """Return what endpoints answer that are called at once."""

        async def use(platform: Platform) -> list[Response]:
            return await asyncio.gather(*(_answer(platform, path, body) for path, body in asked))

        answers = self.use(use)
        self.settle()
        return [json.loads(each.body) if each.body else each.status for each in answers]

    def use(self, use: Callable[[Platform], Awaitable[Any]]) -> Any:
        """Do something as a serving process does."""

        async def main() -> Any:
            machine = Machine(self.spec, appends_seldom=True)
            fields: dict[str, Any] = dict.fromkeys(
                field.name for field in dataclasses.fields(Platform)
            )
            fields |= {
                "settings": Settings(),
                "machine": machine,
                "commands": Commands(machine.partitions, COUNT, wait_s=LONG_S),
            }
            with closing(machine):
                return await use(Platform(**fields))

        return asyncio.run(main())

    def messages(self) -> int:
        """Return how many messages there are."""

        async def use(platform: Platform) -> int:
            counts = [
                await access.ask(Reading.counts) for access in platform.machine.partitions.values()
            ]
            return sum(count["messages"] for count in counts)

        counted: int = self.use(use)
        return counted

    def ledger(self, **asked: Any) -> list[Any]:
        """Return the first page of the ledger."""
        entries: list[Any] = self.call("/ledger.list", **asked)["data"]
        return entries

    def quarantine(self) -> list[str]:
        """Return the records in quarantine."""
        return [each["id"] for each in self.call("/quarantine.list")["data"]]

    def audited(self) -> list[tuple[str, str, str | None, int]]:
        """Return who had what done, oldest first, of one partition after the other."""

        async def use(platform: Platform) -> list[AuditEntry]:
            asked = [
                await access.ask(Reading.audit, None, 99)
                for access in platform.machine.partitions.values()
            ]
            return [entry for entries in asked for _, entry in reversed(entries)]

        return [(each.principal, each.action, each.subject, each.status) for each in self.use(use)]


def _last_outgoing(view: Reading) -> int | None:
    rows = list(view.stored_rows("outbox", b"", 1_000)[0])
    return int.from_bytes(rows[-1][0], "big") if rows else None


async def _answer(platform: Platform, path: str, asked: dict[str, Any]) -> Response:
    endpoint = ENDPOINTS[path]
    body = json.dumps(asked).encode()
    caller = Caller(PRINCIPAL, {}, body, path)
    try:
        answer = await endpoint.handler(platform, caller, parsed(endpoint, body))
    except AiryError as error:
        return problems.answer(error)
    assert isinstance(answer, Response)
    if answer.body and answer.status == endpoint.status:
        endpoint.answers.model_validate_json(answer.body)  # it is as it is described
    return answer


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    channels: dict[ChannelId, Channel] = {}
    with owned_machine(tmp_path, COUNT, channels.get) as spec:
        yield System(spec, channels)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have what says "poison" go to quarantine, until this is called: the fault is mended."""
    mended: list[bool] = []

    def fail_for_poison(view: View, event: Event, at: Any) -> Effect:
        if not mended and b"poison" in getattr(getattr(event, "message", None), "content", b""):
            raise KeyError
        return project(view, event, at)

    monkeypatch.setattr(fold, "project", fail_for_poison)
    return lambda: mended.append(True)


def connect(system: System) -> None:
    """Have our page known to who routes; nobody is told of it."""
    known = builders.channel()
    system.channels[known.id] = known


def test_what_came_for_an_unknown_channel_is_there_once_after_it_is_sent_again(
    system: System,
) -> None:
    record = system.receive(routed=False)
    [entry] = system.ledger(source="facebook")
    assert (entry["id"], entry["verdict"]) == (record, "ignored")
    assert entry["reasons"] == ["no such channel", "waiting"]
    connect(system)

    for _ in range(3):
        assert system.call("/ledger.resend", id=record) == 202

    assert system.messages() == 1
    repetitions = system.ledger(payload_id=entry["payload_id"])
    assert [each["verdict"] for each in repetitions] == ["ignored", "ignored", "applied", "ignored"]
    assert repetitions[2]["message_ids"] == [format_id(builders.message_id("m1"))]
    assert [system.call("/ledger.info", id=each["id"])["repeats"] for each in repetitions] == [
        *[record] * 3,
        None,
    ]


def test_two_who_send_a_record_again_at_once_double_nothing(system: System) -> None:
    record = system.receive()
    again = ("/ledger.resend", {"id": record})

    assert system.calls(again, again) == [202, 202]
    assert system.messages() == 1


def test_a_record_in_quarantine_is_there_once_it_can_be_folded(
    system: System, broken: Callable[[], None]
) -> None:
    record = system.receive("poison")
    assert system.quarantine() == [record]
    why = system.call("/quarantine.info", id=record)
    assert (why["error"], why["kind"]) == ("KeyError", "webhook")
    assert "fail_for_poison" in why["traceback"]
    broken()

    assert system.call("/quarantine.retry", id=record) == 202
    assert (system.messages(), system.quarantine()) == (1, [])
    assert system.call("/quarantine.info", id=record) == 404


def test_of_two_who_retry_a_record_at_once_one_has_it_folded_again(
    system: System, broken: Callable[[], None]
) -> None:
    record = system.receive("poison")
    broken()
    again = ("/quarantine.retry", {"id": record})

    assert system.calls(again, again, ("/quarantine.drop", {"id": record})) == [202, 202, 204]
    webhooks = [each["verdict"] for each in system.ledger(source="facebook")]
    assert webhooks in (["applied", "quarantined"], ["quarantined"])
    assert system.messages() == len(webhooks) - 1


def test_a_record_that_fails_again_is_in_quarantine_under_its_new_place(
    system: System, broken: Callable[[], None]
) -> None:
    record = system.receive("poison")
    assert system.call("/quarantine.retry", id=record) == 202

    [again] = system.quarantine()
    assert again != record
    assert system.call("/ledger.info", id=again)["repeats"] == record
    broken()
    assert system.call("/quarantine.retry", id=again) == 202
    assert (system.messages(), system.quarantine()) == (1, [])


@pytest.mark.usefixtures("broken")
def test_a_record_that_is_dropped_stays_in_the_log(system: System) -> None:
    record = system.receive("poison")

    assert [system.call("/quarantine.drop", id=record) for _ in range(2)] == [204, 204]
    assert (system.messages(), system.quarantine()) == (0, [])
    kept = system.call("/ledger.info", id=record)
    assert kept["verdict"] == "quarantined"
    assert "text of poison" in kept["body_text"]


@pytest.mark.usefixtures("broken")
def test_who_had_what_done_is_in_the_audit_log(system: System) -> None:
    record = system.receive("poison")
    system.call("/ledger.resend", id=record)
    system.call("/quarantine.retry", id=record)
    system.call("/quarantine.drop", id=record)

    assert system.audited() == [
        (PRINCIPAL, "ledger.resend", record, 202),
        (PRINCIPAL, "quarantine.retry", record, 202),
        (PRINCIPAL, "quarantine.drop", record, 204),
    ]


def test_a_body_is_told_as_it_came(system: System) -> None:
    record = system.receive()
    told = system.call("/ledger.info", id=record)
    body = messenger_item("m1", ADA, at=NOW)

    assert (b64decode(told["body_base64"]), told["body_text"]) == (body, body.decode())
    assert told["body_bytes"] == len(body)


def test_a_body_that_is_no_text_is_told_byte_for_byte(system: System) -> None:
    record = system.append(builders.record(b"\xff\x00"))
    told = system.call("/ledger.info", id=record)

    assert (b64decode(told["body_base64"]), told["body_text"]) == (b"\xff\x00", None)


SECRET = b'{"command":"channels.connect","token":"s3cret"}'


@pytest.mark.parametrize(
    ("record", "index"),
    [
        pytest.param(builders.record(SECRET, kind="command", source="api"), 0, id="command"),
        pytest.param(builders.record(SECRET, kind="command", source="api"), REGISTRY, id="channel"),
        pytest.param(builders.record(ERASED), 1, id="erased"),
    ],
)
def test_what_no_source_sent_or_was_erased_has_no_body_and_is_not_repeated(
    system: System, record: Record, index: int
) -> None:
    named = system.append(record, index)
    told = system.call("/ledger.info", id=named)

    assert (told["body_base64"], told["body_text"], told["kind"]) == (None, None, record.kind)
    assert "s3cret" not in str(told)
    refused = system.call("/ledger.resend", id=named)
    assert "no source sent this" in refused["message"] or refused["message"] == "this was erased"
    assert system.audited() == []


@pytest.mark.parametrize(
    ("kind", "said"), [("command", "may ask again"), ("swap", "is not told again")]
)
def test_what_is_not_folded_again_can_be_dropped(system: System, kind: Any, said: str) -> None:
    record = system.append(builders.record(b"\xff", kind=kind, source="api"), REGISTRY)

    assert said in system.call("/quarantine.retry", id=record)["message"]
    assert system.quarantine() == [record]
    assert system.call("/quarantine.drop", id=record) == 204
    assert system.quarantine() == []


def test_what_is_folded_again_in_the_registry_stays_there(system: System) -> None:
    record = system.append(builders.record(b"\xff", kind="outcome", source=""), REGISTRY)
    assert system.call("/quarantine.retry", id=record) == 202

    [again] = system.quarantine()
    assert again.startswith("registry:")
    assert again != record


@pytest.mark.parametrize("path", ["/ledger.info", "/ledger.resend", "/quarantine.info"])
@pytest.mark.parametrize("identifier", ["07:0", "00:77", "registry:0", "00", "", "x" * 99])
def test_what_is_not_there_is_not_found(system: System, path: str, identifier: str) -> None:
    assert system.call(path, id=identifier) == 404


@pytest.mark.parametrize("path", ["/quarantine.info", "/quarantine.retry", "/quarantine.drop"])
def test_what_was_never_in_quarantine_is_not_found_there(system: System, path: str) -> None:
    record = system.receive()

    assert system.call(path, id=record) == 404
    assert system.audited() == []


def test_lists_come_in_pages(system: System) -> None:
    records = [system.receive(f"m{number}", at=NOW + number) for number in range(5)]
    found, asked = [], {"source": "facebook", "page_size": 2}
    while True:
        page = system.call("/ledger.list", **asked)
        found += [each["id"] for each in page["data"]]
        asked["cursor"] = page["pagination_data"]["next_cursor"]
        if asked["cursor"] is None:
            break
        system.receive(f"after {len(found)}")

    assert found == records[::-1]


def test_entries_are_found_by_what_became_of_them_and_when(system: System) -> None:
    record = system.receive()
    other = system.receive("m2")
    [entry] = system.ledger(message_id=format_id(builders.message_id("m2")))
    by = {
        "verdict": "applied",
        "conversation_id": format_id(builders.conversation_id()),
        "since": "2025-11-21T00:00:00Z",
    }

    assert entry["id"] == other
    assert [each["id"] for each in system.ledger(**by)] == [other, record]
    assert system.ledger(until="2025-11-21T00:00:00Z") == []
    assert system.ledger(verdict="quarantined") == []


@pytest.mark.parametrize(
    "asked",
    [
        {"cursor": "x"},
        {"cursor": "1.2"},
        {"payload_id": "abc"},
        {"payload_id": "ab" * 15},
        {"verdict": "lost"},
        {"since": "2025-01-01T00:00"},
        {"message_id": "m1"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(system: System, asked: dict[str, Any]) -> None:
    assert set(system.call("/ledger.list", **asked)) == {"message"}
