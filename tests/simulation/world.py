"""The system without Ray, on a machine that stops anywhere, in an order that a seed decides.

1. One generator of random numbers, started from the seed, decides what happens next, what the
   platforms send, when a process stops and what is left of its last writes. The clock is a number.
   So a seed always tells the same story, and one that fails fails again.
2. Everything below `platforms`, `faults` and the scheduling is the real code: routing, log,
   projections, state, feed, forwarding, upkeep.
3. After each start, and at the end, the witnesses compare what is there with what must be.
"""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest.mock import patch

from airy_ray.clock import Micros, Millis
from airy_ray.cluster.registry import Registry, known_channel
from airy_ray.errors import AiryError, DamagedError
from airy_ray.model import commands
from airy_ray.model.channel import Channel
from airy_ray.model.commands import AnyCommand
from airy_ray.model.ids import (
    REGISTRY,
    ChannelId,
    PartitionIndex,
    conversation_id,
    message_id,
    parse_id,
    partition_of,
    slot_of,
)
from airy_ray.partition import forwarding, ownership
from airy_ray.partition.partition import Partition, open_partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.partition.spec import PartitionSpec, Retention, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import Offset, Prepared, Record, payload_id, prepare
from airy_ray.rawlog.tail import LogTail
from airy_ray.sources.source import Webhook
from airy_ray.storage.environments import Environment
from airy_ray.storage.files import write_synced
from tests.simulation.faults import Crash, Disk
from tests.simulation.oracle import OWN_APP, contact_of, items_of
from tests.simulation.platforms import (
    FLAPPING,
    LATE,
    SOURCE,
    STEADY,
    UNKNOWN,
    WEBSITE,
    Item,
    Platforms,
    id_of,
)
from tests.simulation.witness import Witness

STEPS = 60
PARTITIONS = 3

_START = 1_763_712_000_000_000
_SHOWN = 40
_QUIET_ROUNDS_MAX = 60
_UPKEEP = Upkeep(
    sync_ms=1_500,
    segment_bytes=12_000,
    segment_age_ms=40_000,
    tail_records=4,
    snapshot_records=25,
    snapshot_age_ms=60_000,
)
_HOUR_MS = 3_600_000
_RETENTION = Retention(changes_ms=20 * _HOUR_MS, ledger_ms=30 * _HOUR_MS)


class SimulationError(Exception):
    """What was promised does not hold in the story that `seed` tells."""

    def __init__(self, seed: int, story: Sequence[str], cause: BaseException) -> None:
        super().__init__(seed, story, cause)
        self.seed = seed
        self.story = story
        self.cause = cause

    def __str__(self) -> str:
        told = "\n  ".join(self.story[-_SHOWN:])
        return (
            f"seed {self.seed}: {type(self.cause).__name__}: {self.cause}\n  {told}\n"
            f"again: python -m benchmarks.simulation --first {self.seed} --seeds 1"
        )


@dataclass(frozen=True)
class Outcome:
    """What happened in one story, and a digest by which two tellings of it are compared."""

    seed: int
    counts: dict[str, int]
    digest: str


def simulate(seed: int, *, steps: int = STEPS) -> Outcome:
    """Tell the story of a seed and check what must hold.

    Raises:
        SimulationError: something does not.
    """
    with World(seed) as world:
        try:
            world.run(steps)
        except Exception as error:
            raise SimulationError(seed, world.story, error) from error
        return Outcome(seed, dict(sorted(world.counts.items())), world.digest())


class World:
    """One machine, its processes, and what is around it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = Micros(_START)
        self.story: list[str] = []
        self.counts: Counter[str] = Counter()
        self._base = Path(tempfile.mkdtemp(dir=_fast_directory(), prefix="airy-sim-"))
        self._root = self._base / "disk"
        (self._root / "archive").mkdir(parents=True)
        (self._root / "partitions").mkdir()
        self.disk = Disk(self._root, self.rng)
        self.disk.meanwhile = self._meanwhile
        self.disk.synced = self._note_synced
        self._boot_id = self._base / "boot_id"
        self._boots = 0
        self.platforms = Platforms(self.rng)
        indexes = [*map(PartitionIndex, range(PARTITIONS)), REGISTRY]
        self.specs = {index: self._spec(index) for index in indexes}
        self.witnesses = {index: Witness(spec, self.disk) for index, spec in self.specs.items()}
        self.acknowledged: list[tuple[bytes, int]] = []
        self.connects: list[tuple[str, str]] = [*STEADY, WEBSITE]
        self._crash_kind = "process"
        self._acting: PartitionIndex | None = None
        self._busy: set[PartitionIndex] = set()
        self._depth = 0
        self._is_stepping = False

    def __enter__(self) -> Self:
        self._installed = self._install()
        self._installed.__enter__()
        self._boot()
        self.disk.sync_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._kill()
        self._installed.__exit__(None, None, None)
        shutil.rmtree(self._base, ignore_errors=True)

    def run(self, steps: int) -> None:
        """Let the story happen, and come to its end."""
        self._begin()
        for _ in range(steps):
            self._step(self.rng.choices(*_WEIGHTED)[0])
        self._end()

    def digest(self) -> str:
        """Return a digest of all that happened."""
        whole = blake2b(digest_size=12)
        for line in self.story:
            whole.update(line.encode())
        for witness in self.witnesses.values():
            for value in witness.values:
                whole.update(value)
        return whole.hexdigest()

    # --- processes --------------------------------------------------------------------------------

    def _boot(self) -> None:
        self._boots += 1
        self._boot_id.write_text(f"boot {self._boots}")
        self._start()

    def _start(self) -> None:
        """Start what serves; owners come by themselves."""
        self.owners: dict[PartitionIndex, Partition] = {}
        self._caretakers: dict[PartitionIndex, Caretaker] = {}
        self._damaged: set[PartitionIndex] = set()
        self.tails: dict[PartitionIndex, LogTail] = {}
        self._own_tails: dict[tuple[PartitionIndex, PartitionIndex], LogTail] = {}
        self._readers: dict[PartitionIndex, PartitionReader] = {}
        self._is_consuming = False

    def _tail(self, index: PartitionIndex) -> LogTail:
        """Return a log as a serving process has it open."""
        if index not in self.tails:
            self.tails[index] = LogTail(self.specs[index].directory)
        return self.tails[index]

    def _own_tail(self, owner: PartitionIndex, index: PartitionIndex) -> LogTail:
        """Return a log as the process of an owner has it open."""
        if (owner, index) not in self._own_tails:
            self._own_tails[owner, index] = LogTail(self.specs[index].directory)
        return self._own_tails[owner, index]

    def _reader(self, index: PartitionIndex) -> PartitionReader:
        if index not in self._readers:
            self._readers[index] = PartitionReader(self._tail(index))
        return self._readers[index]

    def _channel(self, identifier: ChannelId) -> Channel | None:
        return Registry(self._reader(REGISTRY)).channel(identifier)

    def _kill(self) -> None:
        for owner in self.owners.values():
            owner._lock.release()
        self.disk.kill()
        self._start()

    def _kill_owner(self, index: PartitionIndex) -> None:
        owner = self.owners.pop(index)
        owner.state.close()
        owner.tail.close()
        owner._lock.release()
        for target in [each for each in self._own_tails if each[0] == index]:
            self._own_tails.pop(target).close()
        self._caretakers.pop(index)
        self._damaged.discard(index)

    # --- the scheduler ----------------------------------------------------------------------------

    def _step(self, name: str) -> None:
        """Do the next thing; the machine, or a process, may stop while it does."""
        self.now = Micros(self.now + self.rng.randint(100, 400_000))
        self.story.append(f"{self.now - _START} {name}")
        self.counts[name] += 1
        self._is_stepping = True
        try:
            self._try(name)
        except Crash:
            self._crash()
        finally:
            self._is_stepping = False

    def _try(self, name: str) -> None:
        """Do one thing as its process would: what goes wrong is tried again later."""
        try:
            getattr(self, f"_do_{name}")()
        except AiryError as error:
            self._tell(f"{name} failed: {type(error).__name__}")
            self.counts["errors"] += 1
            self._acting = None

    def _tell(self, what: str) -> None:
        self.story.append("  " * (self._depth + 1) + what)

    def _meanwhile(self) -> None:
        """Let another thread or process have its turn in the middle of a step."""
        if not self._is_stepping or self._depth > 0 or self.rng.random() > 0.08:
            return
        name = self.rng.choice(["webhook", "project", "project", "command", "consume"])
        self._depth += 1
        self._tell(f"meanwhile {name}")
        acting, self._acting = self._acting, None
        self._try(name)
        self._acting = acting
        self._depth -= 1

    def _do_arm(self) -> None:
        """Have a process stop after some operations more."""
        self.disk.crash_in = self.rng.choice([1, 2, 3, 5, 8, 13, 21, 34])
        self._crash_kind = self.rng.choice(["owner", "process", "power", "power"])
        self.disk.may_tear = self._crash_kind != "owner"
        self._tell(f"{self._crash_kind} in {self.disk.crash_in} operations")

    def _do_crash(self) -> None:
        self._crash_kind = self.rng.choice(["process", "power", "power"])
        raise Crash

    def _crash(self) -> None:
        """End what was to end, and let it come back."""
        kind, acting = self._crash_kind, self._acting
        if self._depth > 0 or acting not in self.owners:
            kind = "process" if kind == "owner" else kind
        self._tell(f"crash: {kind}")
        self.counts[f"crash: {kind}"] += 1
        self._depth, self._acting = 0, None
        self._busy.clear()
        self.disk.crash_in = None
        if kind == "owner" and acting is not None:
            self._kill_owner(acting)
            return
        self._kill()
        if kind == "power":
            self.disk.lose_power()
            self._boot()
        self._come_back()

    def _come_back(self) -> None:
        """Start everything again, unless it stops once more, and compare."""
        if self.rng.random() < 0.15:
            self._do_arm()
        try:
            if self.rng.random() < 0.3:  # what serves is there before the owners are
                self._try("webhook")
            for index in self.rng.sample(list(self.specs), len(self.specs)):
                self._open(index)
        except Crash:
            self._crash()
            return
        self.disk.crash_in = None
        self._look()

    def _open(self, index: PartitionIndex) -> None:
        self._acting = index
        try:
            self.owners[index] = open_partition(self.specs[index], self._millis)
        except AiryError as error:
            self._tell(f"opening {index} failed: {type(error).__name__}")
            return
        finally:
            self._acting = None
        self._caretakers[index] = Caretaker(self.owners[index], self._millis)

    def _look(self) -> None:
        """Compare what is there with what must be."""
        for index, witness in self.witnesses.items():
            owner = self.owners.get(index)
            if owner is None or owner.tail.beacon.is_in_doubt:
                continue
            witness.look_at_log(owner.tail)
            if index not in self._damaged and witness.look_at_state(owner, self._millis):
                self.counts["states compared"] += 1

    # --- what serves ------------------------------------------------------------------------------

    def _do_webhook(self) -> None:
        """Take what the platforms post, as the webhooks' process does: all at once."""
        webhooks = self.platforms.webhooks(self._millis)
        self._take([webhook.body for webhook in webhooks], [self._routed(w) for w in webhooks])

    def _routed(self, webhook: Webhook) -> Record:
        SOURCE.verify(webhook)
        return record_of(SOURCE, webhook, self._known_channel, self.now)

    def _known_channel(self, identifier: ChannelId) -> Channel | None:
        return known_channel(Registry(self._reader(REGISTRY)), identifier)

    def _take(self, bodies: list[bytes], records: list[Record]) -> None:
        groups: dict[PartitionIndex, list[int]] = {}
        for number, record in enumerate(records):
            for target in partitions_of(record, PARTITIONS):
                groups.setdefault(target, []).append(number)
        taken = dict.fromkeys(range(len(bodies)), True)
        try:
            for target, numbers in groups.items():
                try:
                    self._tail(target).append([prepare(records[number]) for number in numbers])
                except AiryError:
                    taken |= dict.fromkeys(numbers, False)
        except Crash:
            taken = dict.fromkeys(taken, False)
            raise
        finally:
            for number, body in enumerate(bodies):
                self._answer(body, is_taken=taken[number])

    def _answer(self, body: bytes, *, is_taken: bool) -> None:
        """Tell the platform whether it must post a body again."""
        if is_taken:
            self.acknowledged.append((body, self.now))
            self.counts["webhooks acknowledged"] += 1
        if not is_taken or self.rng.random() < 0.12:
            self.platforms.again(body)

    def _do_command(self) -> None:
        self._append_command(self.platforms.command())

    def _append_command(self, command: AnyCommand) -> None:
        body = commands.encode(command)
        record = Record(self.now, "command", "api", body, payload_id(body))
        is_for_registry = isinstance(command, commands.ConnectChannel | commands.DisconnectChannel)
        slot = slot_of(parse_id(command.id))
        target = REGISTRY if is_for_registry else partition_of(slot, PARTITIONS)
        self._tail(target).append([prepare(record)])

    def _do_connect(self) -> None:
        """Connect the next channel, or connect or disconnect one that comes and goes."""
        if self.connects:
            self._append_command(self.platforms.connect(self.connects[0]))
            self.connects.pop(0)
        elif self.rng.random() < 0.5:
            self._append_command(self.platforms.connect(FLAPPING))
        else:
            self._append_command(self.platforms.disconnect(FLAPPING))

    def _do_connect_late(self) -> None:
        wanted = self._connected() | set(self.connects)
        self.connects += [each for each in LATE if each not in wanted][:1]

    def _do_consume(self) -> None:
        """Read a page of the feed and keep, synced, how far it was read."""
        self._consume(self.rng.choice(list(self.specs)), self.rng.choice([1, 7, 50]))

    def _consume(self, index: PartitionIndex, limit: int) -> int:
        if self._is_consuming:
            return 0
        self._is_consuming = True
        try:
            return self._read_page(index, limit)
        finally:
            self._is_consuming = False

    def _read_page(self, index: PartitionIndex, limit: int) -> int:
        file = self._root / f"cursor-{index}"
        after = int(file.read_text()) if file.exists() else -1
        with self._reader(index).read() as view:
            page = view.changes(after, limit)
            self.witnesses[index].shown(view.applied())
        for sequence, change in page:
            self.witnesses[index].told(sequence, change.event)
        if page:
            write_synced(file, str(page[-1][0]).encode())
        self.counts["changes consumed"] += len(page)
        return len(page)

    # --- owners -----------------------------------------------------------------------------------

    def _do_project(self) -> None:
        self._with_owner(self._project)

    def _do_errands(self) -> None:
        self._with_owner(self._run_errands)

    def _do_care(self) -> None:
        self._with_owner(self._care, may_be_busy=True)

    def _do_own(self) -> None:
        """Start the owners that are not there."""
        for index in self.specs:
            if index not in self.owners:
                self._open(index)

    def _do_leave(self) -> None:
        """Stop an owner in order."""
        if self._depth == 0 and self.owners:
            index = self.rng.choice(list(self.owners))
            owner = self.owners.pop(index)
            del self._caretakers[index]
            self._damaged.discard(index)
            try:
                owner.close()
            except BaseException:
                owner._lock.release()  # as it does when the process is gone
                raise

    def _with_owner(
        self, work: Callable[[PartitionIndex, Partition], object], *, may_be_busy: bool = False
    ) -> None:
        """Let an owner work; its two threads may meet, one thread cannot do two things."""
        free = [each for each in self.owners if may_be_busy or each not in self._busy]
        if not free:
            return
        index = self.rng.choice(free)
        self._acting = index
        if not may_be_busy:
            self._busy.add(index)
        try:
            work(index, self.owners[index])
        finally:
            if not may_be_busy:
                self._busy.discard(index)
        self._acting = None

    def _project(self, index: PartitionIndex, owner: Partition) -> bool:
        """Do what `Owner` does first: mend what is damaged, else fold the next records."""
        if index in self._damaged:
            self._damaged.discard(index)
            owner.rebuild()
            self.counts["rebuilt for damage"] += 1
            return True
        if owner.settle_doubt(self._millis):
            self.counts["logs repaired"] += 1
            return True
        folded = owner.project_batch(self._millis)
        self.counts["records folded"] += folded
        return folded > 0

    def _run_errands(self, index: PartitionIndex, owner: Partition) -> bool:
        """Do what `Owner` does next: let timers fall, forward what is for others."""
        due_at = owner.next_due()
        fallen = (
            owner.fall_due(self._millis) if due_at is not None and due_at <= self._millis else 0
        )
        pending = forwarding.pending(owner)
        for sequence, outgoing in pending:
            records = forwarding.records_of(
                owner, sequence, outgoing, self._channel, lambda _: None, self.now
            )
            for forward in records:
                self._own_tail(index, forward.target).append([prepare(forward.record)])
            self.counts["records forwarded"] += len(records)
        if pending:
            forwarding.mark_forwarded(owner, pending[-1][0])
        return fallen > 0 or bool(pending)

    def _care(self, index: PartitionIndex, owner: Partition) -> None:
        try:
            self._caretakers[index].work(self._millis)
        except DamagedError:
            self._damaged.add(index)
            raise
        if not owner.tail.beacon.is_in_doubt:
            self.witnesses[index].look_at_log(owner.tail)

    def _note_synced(self, environment: Environment) -> None:
        """Note up to where the state of the acting owner is synced."""
        if self._acting in self.owners:
            owner = self.owners[self._acting]
            if environment is owner.state.environment:
                self.witnesses[self._acting].synced = (owner.generation.number, owner.applied)

    # --- time -------------------------------------------------------------------------------------

    @property
    def _millis(self) -> Millis:
        return Millis(self.now // 1_000)

    def _do_wait(self) -> None:
        self.now = Micros(self.now + self.rng.choice([1, 4, 4, 70]) * 1_000_000)

    def _do_wait_long(self) -> None:
        """Let so much time pass that rows expire; the consumer has kept up before."""
        if self._depth == 0 and self._is_settled():
            self.now = Micros(self.now + 26 * _HOUR_MS * 1_000)

    def _is_settled(self) -> bool:
        """Let everything be done that can be, and the feed be read; return whether it could."""
        if len(self.owners) < len(self.specs):
            return False
        rounds = range(_QUIET_ROUNDS_MAX)
        return any(not self._settle() and not self._catch_up() for _ in rounds)

    def _catch_up(self) -> bool:
        """Read the feed to its end; return whether there was anything, or it cannot be read yet."""
        try:
            return sum(self._consume(index, 1_000) for index in self.specs) > 0
        except AiryError:
            return True

    def _settle(self) -> bool:
        """Let each owner do what there is to do; return whether there was anything."""
        was_busy = False
        for index, owner in self.owners.items():
            self._acting = index
            self._busy.add(index)
            try:
                while self._project(index, owner):
                    was_busy = True
                was_busy |= self._run_errands(index, owner)
            except AiryError:
                was_busy = True
            self._busy.discard(index)
            self._acting = None
        return was_busy

    # --- beginning and end ------------------------------------------------------------------------

    def _begin(self) -> None:
        for index in self.specs:
            self._open(index)
        while self.connects and self.rng.random() < 0.8:
            self._do_connect()
        if self.rng.random() < 0.3:
            self.disk.full_share = 0.02
        if self.rng.random() < 0.3:
            self.disk.failing_share = 0.006

    def _end(self) -> None:
        """Let all come to rest, and compare for the last time."""
        self.story.append("the end")
        self.disk.crash_in = None
        self.disk.full_share = self.disk.failing_share = 0.0
        self._do_own()
        self._is_settled()
        while self.connects or LATE[-1] not in self._connected():
            self._do_connect() if self.connects else self._do_connect_late()
        for webhook in self.platforms.left():
            self._take([webhook.body], [self._routed(webhook)])
        self._rest()
        self._look_at_all()
        rebuilt = self.rng.choice(list(self.owners))
        self.owners[rebuilt].rebuild()
        self._rest()
        self._look_at_all()

    def _rest(self) -> None:
        assert self._is_settled(), "it does not come to rest"
        self.now = Micros(self.now + 10_000_000)
        assert self._is_settled(), "it does not come to rest"

    def _connected(self) -> set[tuple[str, str]]:
        known = self.witnesses[REGISTRY].oracle.channels
        return {each for each in (*STEADY, *LATE) if id_of(each) in known}

    def _look_at_all(self) -> None:
        assert len(self.owners) == len(self.specs)
        self._look()
        for index, witness in self.witnesses.items():
            assert self.owners[index].is_readable
            assert self.owners[index].applied == len(witness.values)
            witness.look_at_feed()
        self._look_at_messages()

    def _look_at_messages(self) -> None:
        """Check that what was acknowledged is there, unless nobody ever wanted it."""
        said = {
            identifier
            for witness in self.witnesses.values()
            for talk in witness.oracle.talks.values()
            for identifier in talk.messages
        }
        for body, _ in self.acknowledged:
            for account, item in items_of(body):
                self._look_at_item(account, item, said)

    def _look_at_item(self, account: str, item: Item, said: set[bytes]) -> None:
        message = item.get("message")
        if message is None or message.get("app_id") == OWN_APP or account == FLAPPING[1]:
            return
        channel = next(each for each in (*STEADY, *LATE, UNKNOWN) if each[1] == account)
        conversation = conversation_id(id_of(channel), contact_of(account, item))
        is_there = message_id(conversation, message["mid"]) in said
        assert is_there == (channel != UNKNOWN), f"{message['mid']} of {account}: {is_there}"

    # --- what it is made of -----------------------------------------------------------------------

    def _spec(self, index: PartitionIndex) -> PartitionSpec:
        name = "registry" if index == REGISTRY else f"{index:02}"
        records = self.rng.choice([2, 8, 256])
        size = self.rng.choice([2_000, 1 << 20, 1 << 20])
        return PartitionSpec(
            index=index,
            count=PARTITIONS,
            directory=self._root / "partitions" / name,
            archive=self._root / "archive",
            answers=self._root / "answers",
            upkeep=_UPKEEP,
            retention=_RETENTION,
            batch_records=records,
            batch_bytes=size,
            rebuilt_records=records,
            rebuilt_bytes=size,
        )

    @contextmanager
    def _install(self) -> Iterator[None]:
        with (
            self.disk.installed(),
            patch.object(ownership, "_BOOT_ID", self._boot_id),
            self._witnessed(),
        ):
            yield

    @contextmanager
    def _witnessed(self) -> Iterator[None]:
        """Let the witnesses see what is appended to logs and what leaves them."""
        real_append, real_trim = LogTail.append, LogTail.trim
        witnesses = {each.spec.directory: each for each in self.witnesses.values()}

        def append(tail: LogTail, prepared: Sequence[Prepared]) -> Offset:
            witness = witnesses[tail.directory]
            witness.attempted(prepared)
            first = real_append(tail, prepared)
            witness.acknowledged(tail, first, prepared)
            return first

        def trim(tail: LogTail, before: int) -> int:
            witness = witnesses[tail.directory]
            witness.look_at_trimming(before, self.owners[witness.spec.index].generation.number)
            return real_trim(tail, before)

        with patch.object(LogTail, "append", append), patch.object(LogTail, "trim", trim):
            yield


_WEIGHTS = {
    "webhook": 10.0,
    "command": 5.0,
    "connect": 2.0,
    "connect_late": 0.6,
    "project": 12.0,
    "errands": 5.0,
    "care": 6.0,
    "consume": 5.0,
    "wait": 2.0,
    "wait_long": 0.4,
    "own": 1.5,
    "leave": 0.7,
    "arm": 3.0,
    "crash": 0.8,
}
_WEIGHTED = (list(_WEIGHTS), list(_WEIGHTS.values()))


def _fast_directory() -> str | None:
    """Return a directory in memory, where there is one: durability is modelled, not used."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None
