"""What is asked costs the same with 1,000 conversations as with 1,000,000, and little over nothing.

Three platforms run at a time, so that what is compared is measured in the same minute. The request
without work is a POST to `/webhooks/health`: the API has none, but that one comes through the same
HAProxy to a replica that is deployed like the API's, is read by the same code, and answered.
"""

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.cluster.layout import prepare_data, specs
from airy_ray.config import Settings
from airy_ray.model.ids import PartitionIndex, channel_id, conversation_id, format_id
from airy_ray.partition.routing import partitions_of
from airy_ray.rawlog.record import Prepared, prepare
from airy_ray.rawlog.tail import LogTail
from benchmarks.load import Post, wrk
from benchmarks.measuring import (
    BenchmarkError,
    Options,
    Report,
    console,
    main,
    temporary_directory,
)
from benchmarks.system import PAGE, Platform, platform
from benchmarks.traffic import recorded, text_messages

_SIZES = (1_000, 100_000, 1_000_000)
_SLOWER_MAX = 1.2
_NO_OP_SHARE = 0.6

_PAGE_SIZE = 20
_BUSY = 1_000
"""How many conversations have a full page of messages; the others have one message."""
_ASKED = 20_000
"""How many different requests there are, if there are as many conversations."""
_APPEND = 4_000
_FOLDED_S = 900.0
_WARM_UP_S = 1.0

_LIST, _MESSAGES, _INFO = "conversations.list", "messages.list", "conversations.info"


def run(options: Options) -> int:
    """Fill a data directory for each size, start them all, and ask them in turn."""
    report = Report("query", "reads cost the same however much is stored")
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(temporary_directory())
        platforms = {
            size: stack.enter_context(_filled(directory / f"{size}", size)) for size in _SIZES
        }
        asked = {size: _requests(size) for size in _SIZES}
        for ours, requests in zip(platforms.values(), asked.values(), strict=True):
            _warm_up(ours, requests)
        for _ in range(options.repeats):
            for endpoint, size in itertools.product((_LIST, _MESSAGES, _INFO), _SIZES):
                url = f"{platforms[size].url}/{endpoint}"
                posts = asked[size][endpoint]
                load = wrk(url, posts, connections=1, seconds=options.seconds)
                report.add(_named(endpoint, size), **load._asdict())
            _measure_rates(report, platforms[_SIZES[-1]], asked[_SIZES[-1]][_INFO], options.seconds)
    _judge(report)
    return report.finish()


def _measure_rates(report: Report, ours: Platform, posts: list[Post], seconds: float) -> None:
    for what, path in (("no-op, 32", "webhooks/health"), (f"{_INFO}, 32", _INFO)):
        load = wrk(f"{ours.url}/{path}", posts, connections=32, seconds=seconds)
        report.add(what, **load._asdict())


def _judge(report: Report) -> None:
    few, many = _SIZES[0], _SIZES[-1]
    for endpoint in (_LIST, _MESSAGES, _INFO):
        report.require(
            f"{endpoint}: median with {many:,}, to that with {few:,}",
            report.ratio(_named(endpoint, many), _named(endpoint, few), "p50_ms"),
            at_most=_SLOWER_MAX,
        )
    report.require(
        f"{_INFO}: of the no-op's requests/s, 32 connections, {many:,}",
        report.ratio(f"{_INFO}, 32", "no-op, 32", "rate"),
        at_least=_NO_OP_SHARE,
    )


def _named(endpoint: str, size: int) -> str:
    return f"{endpoint}, {size:,}"


@contextlib.contextmanager
def _filled(directory: Path, size: int) -> Iterator[Platform]:
    """Run a platform with `size` conversations, all of them readable."""
    directory.mkdir()
    settings = Settings(data=directory / "data")
    with console.status(f"storing {size:,} conversations"):
        stored = _fill(settings, size)
    with platform(directory) as ours:
        ours.connect("facebook", PAGE)
        with console.status(f"folding {stored:,} messages"):
            ours.wait_until_projected(messages=stored, timeout_s=_FOLDED_S)
            ours.wait_until_quiet(timeout_s=_FOLDED_S)
        _check(ours, size)
        yield ours


def _fill(settings: Settings, size: int) -> int:
    """Write the logs of a new data directory; return how many messages are in them."""
    layout = prepare_data(settings)
    tails = {spec.index: LogTail(spec.directory) for spec in specs(settings, layout)}
    count = size + min(size, _BUSY) * (_PAGE_SIZE - 1)
    began_at = Millis(now_millis() - count)
    bodies = text_messages("q", _contacts(size), begin_at=began_at)
    while group := list(itertools.islice(bodies, _APPEND)):
        prepared: dict[PartitionIndex, list[Prepared]] = {}
        for body in group:
            record = recorded(body, Micros(began_at * 1_000))
            (partition,) = partitions_of(record, layout.partitions)
            prepared.setdefault(partition, []).append(prepare(record))
        for partition, appended in prepared.items():
            tails[partition].append(appended)
    for tail in tails.values():
        tail.close()
    return count


def _contacts(size: int) -> Iterable[str]:
    """Yield who writes: everybody once, the busy ones as often as fills a page."""
    busy = [f"u{number}" for number in range(min(size, _BUSY))]
    for _ in range(_PAGE_SIZE - 1):
        yield from busy
    for number in range(size):
        yield f"u{number}"


def _requests(size: int) -> dict[str, list[Post]]:
    """Return what is asked, each time of another conversation drawn at random."""
    draw = Random(size)
    anyone = draw.sample(range(size), min(size, _ASKED))
    busy = draw.sample(range(min(size, _BUSY)), min(size, _BUSY))
    return {
        _LIST: [_post({"page_size": _PAGE_SIZE})],
        _MESSAGES: [
            _post({"conversation_id": _conversation(number), "page_size": _PAGE_SIZE})
            for number in busy
        ],
        _INFO: [_post({"conversation_id": _conversation(number)}) for number in anyone],
    }


def _post(body: dict[str, object]) -> Post:
    return Post(json.dumps(body).encode())


def _conversation(number: int) -> str:
    page = channel_id("facebook", PAGE)
    return format_id(conversation_id(page, f"u{number}"))


def _check(ours: Platform, size: int) -> None:
    """See that answers hold what they should: an empty page would come quickly."""
    listed = ours.post("/conversations.list", {"page_size": _PAGE_SIZE})
    asked = {"conversation_id": _conversation(0), "page_size": _PAGE_SIZE}
    shown = ours.post("/messages.list", asked)
    if listed["pagination_data"]["total"] != size or len(listed["data"]) != _PAGE_SIZE:
        raise BenchmarkError(f"conversations.list does not show {size} conversations")
    if len(shown["data"]) != _PAGE_SIZE:
        raise BenchmarkError("messages.list does not show a full page")


def _warm_up(ours: Platform, requests: dict[str, list[Post]]) -> None:
    for endpoint, posts in requests.items():
        wrk(f"{ours.url}/{endpoint}", posts, connections=1, seconds=_WARM_UP_S)


if __name__ == "__main__":
    main(run, __doc__, seconds=3, repeats=5)
