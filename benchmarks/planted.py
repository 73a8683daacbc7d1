"""A bug is planted, lived with, mended and repaired: what `airy-ray replay` shows of it.

A parser that drops buttons that people press (`postback`) takes in some messages of Facebook; then
history is processed again with the parser as it is. The screen is that of `airy-ray replay status`;
in the end the state is the one of a partition that never had the bug.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random

from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.cluster.layout import prepare_data, specs
from airy_ray.config import load
from airy_ray.partition import interpret, refold
from airy_ray.partition.partition import Partition, open_partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record, prepare
from airy_ray.replay import building
from airy_ray.replay import run as runs
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.selection import Selection
from airy_ray.sources.source import Parsed, Webhook
from airy_ray.storage import child
from benchmarks.measuring import BenchmarkError, Options, Report, console, main, temporary_directory
from benchmarks.system import PAGE
from benchmarks.traffic import recorded, text_messages

_MESSAGES = 2_000
_PRESSED_EACH = 10
_PEOPLE = 200
_PRESSED = (
    '{"object":"page","entry":[{"id":"%(page)s","time":%(at)d,"messaging":[{"sender":'
    '{"id":"%(contact)s"},"recipient":{"id":"%(page)s"},"timestamp":%(at)d,"postback":'
    '{"mid":"m_pressed_%(number)d","title":"Track my order","payload":"TRACK"}}]}]}'
)


def _records(began_at: Millis) -> Iterator[Record]:
    """Yield what came in: texts, and some buttons that were pressed."""
    draw = Random(1)
    people = [f"u{draw.randrange(_PEOPLE)}" for _ in range(_MESSAGES)]
    for number, text in enumerate(text_messages("p", people, begin_at=began_at)):
        at = began_at + number
        told = {"page": PAGE, "at": at, "contact": people[number], "number": number}
        body = text if number % _PRESSED_EACH else (_PRESSED % told).encode()
        yield recorded(body, Micros(at * 1_000))


@contextmanager
def _dropping_what_is_pressed() -> Iterator[None]:
    """Have Facebook's parser not know buttons, in this process."""
    parse = interpret.PARSERS["facebook"]

    def without(webhook: Webhook) -> Parsed:
        return Parsed([], ["unknown"]) if b'"postback"' in webhook.body else parse(webhook)

    interpret.PARSERS["facebook"] = without
    try:
        yield
    finally:
        interpret.PARSERS["facebook"] = parse


def _live(partition: Partition) -> None:
    while partition.project_batch(now_millis()):
        pass


@contextmanager
def _owned(all_specs: Sequence[PartitionSpec]) -> Iterator[list[Partition]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(closing(open_partition(each, now_millis()))) for each in all_specs
        ]


def _work_until(partitions: list[Partition], phase: str) -> None:
    """Do what owners do until a replay is at some phase."""
    replayers = [Replayer(each) for each in partitions]
    all_specs = [each.spec for each in partitions]
    while (found := runs.status(all_specs)) is not None and found.phase != phase:
        if found.phase == "failed":
            raise BenchmarkError(f"the replay failed: {[each.error for each in found.reports]}")
        for partition, replayer in zip(partitions, replayers, strict=True):
            replayer.work(now_millis())
            partition.take_offered(now_millis())
            _live(partition)


def _screen(data: Path) -> str:
    command = [str(Path(sys.executable).with_name("airy-ray")), "replay", "status"]
    return subprocess.run(
        [*command, "--data", str(data)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "150"},
    ).stdout


def _spoilt(partition: Partition, fresh: Path) -> list[str]:
    """Return the tables of a partition that are not what the present code makes of its log."""
    for _ in child.results(refold.fold_again, partition.spec, fresh, partition.applied):
        pass
    copy = fresh.with_name(f"{fresh.name}.copy")
    for _ in child.results(building.copy_present, partition.spec, copy):
        pass
    return list(child.results(refold.differences, copy, fresh))


def run(_: Options) -> int:
    """Plant a bug, process history again, show what differs, and put it in place."""
    logging.disable(logging.WARNING)
    report = Report("planted", "a bug of the past is shown, and repaired")
    with temporary_directory() as directory:
        settings = load({"data": directory / "data", "partitions": 1})
        all_specs = specs(settings, prepare_data(settings))
        with _owned(all_specs) as partitions:
            with _dropping_what_is_pressed():
                partitions[0].tail.append([prepare(each) for each in _records(now_millis())])
                _live(partitions[0])
            before = _spoilt(partitions[0], directory / "before")
            runs.start(all_specs, Selection(), now_millis())
            _work_until(partitions, "ready")
            console.print(_screen(settings.data), markup=False, highlight=False, soft_wrap=True)
            runs.swap(all_specs)
            _work_until(partitions, "swapped")
            _live(partitions[0])
            after = _spoilt(partitions[0], directory / "after")
    report.require("tables that the bug spoilt", len(before), at_least=1)
    report.require("that are still so after the swap", len(after), at_most=0)
    report.facts["still so"] = after or "none"
    return report.finish()


if __name__ == "__main__":
    main(run, __doc__, seconds=1, repeats=1)
