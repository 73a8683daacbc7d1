"""What is asked costs the same with 1,000 conversations as with 1,000,000, and little over nothing.

Three platforms run at a time, so that what is compared is measured in the same minute. The request
without work is a POST to `/webhooks/health`: the API has none, but that one comes through the same
HAProxy to a replica that is deployed like the API's, is read by the same code, and answered.

Filters are also measured inside the store, without HTTP: as an API process looks through the index
and reads the rows, from this process, on the same files. `BENCH_SIZES=1000,100000` in the
environment leaves out the million, which takes some minutes to be stored;
`BENCH_MESSAGES=10000000` has so many messages in the largest, and takes an hour and 40 GB of disk.
"""

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx

from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.cluster.layout import prepare_data, specs
from airy_ray.config import Settings
from airy_ray.filters.fulltext import full_text
from airy_ray.filters.syntax import parse
from airy_ray.model import commands
from airy_ray.model.commands import DescribeConversation
from airy_ray.model.ids import (
    PartitionIndex,
    channel_id,
    command_id,
    conversation_id,
    format_id,
    owner_of,
    parse_id,
    slot_of,
)
from airy_ray.partition.routing import partitions_of
from airy_ray.rawlog.record import Prepared, Record, payload_id, prepare
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
from benchmarks.peers import postgres
from benchmarks.peers.inbox_tables import WHERE, filtered, found, inbox_tables
from benchmarks.store import stored_partitions
from benchmarks.system import PAGE, Platform, platform, wait_until
from benchmarks.traffic import recorded, text_messages

_SIZES = tuple(map(int, os.environ.get("BENCH_SIZES", "1000,100000,1000000").split(",")))
_SLOWER_MAX = 1.2
_NO_OP_SHARE = 0.6
_GROWN_MAX = 1.1

_PAGE_SIZE = 20
_MESSAGES_IN_ALL = int(os.environ.get("BENCH_MESSAGES", "0"))
_BUSY = 1_000
"""How many conversations have a full page of messages, unless so many are asked for that more have;
the others have one message."""
_ASKED = 20_000
"""How many different requests there are, if there are as many conversations."""
_APPEND = 4_000
_FOLDED_S = 900.0
"""How long a million messages may take to be folded, or to be found."""
_WARM_UP_S = 1.0

_WALKED = 10_000
"""How many conversations a page has on the way to the middle of the list."""

_LIST, _MESSAGES, _INFO = "conversations.list", "messages.list", "conversations.info"
_DEEP, _DEEP_TAGGED = "page in the middle", "tagged page in the middle"
_SEARCH = "messages.search"

_FILTERED_MS_MAX = 10.0
_TAG = "0ee61a4f-9d9b-8c2d-8000-000000000001"
_TAGGED = 100
"""One conversation of so many has the tag."""
_FILTERS = {
    "name and unread": "display_name:facebook AND unread_count:[1 TO *]",
    "unread range": "unread_count:[2 TO *]",
    "tag": f"tag_ids:({_TAG})",
    "search box": "display_name:*a1b*",
}
"""The first finds all conversations, the last looks through all names."""
_WALKS: dict[str, dict[str, object]] = {
    _DEEP: {},
    _DEEP_TAGGED: {"filters": _FILTERS["tag"]},
}
_WITHIN_LIMIT = ("name and unread", "unread range", "tag")
_IN_STORE = 30
"""How often each is asked inside the store for one figure."""
_FULL_TEXT = "message q_12"


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
        before_mib = platforms[_SIZES[-1]].api_memory_mib
        for _ in range(options.repeats):
            questions = (_questions(platforms[size], asked[size]) for size in _SIZES)
            for same in zip(*questions, strict=True):
                for size, (name, endpoint, posts) in zip(_SIZES, same, strict=True):
                    url = f"{platforms[size].url}/{endpoint}"
                    load = wrk(url, posts, connections=1, seconds=options.seconds)
                    report.add(_named(name, size), **load._asdict())
            for size in _SIZES:
                _measure_in_store(report, platforms[size], size)
            _measure_rates(report, platforms[_SIZES[-1]], asked[_SIZES[-1]][_INFO], options.seconds)
        grown = platforms[_SIZES[-1]].api_memory_mib / before_mib
        report.add(f"API processes, {_SIZES[-1]:,}", before_mib=before_mib, grown=grown)
        asyncio.run(_measure_beside_postgres(report, platforms[_SIZES[-1]], _SIZES[-1], options))
    _judge(report)
    return report.finish()


def _questions(
    ours: Platform, requests: dict[str, list[Post]]
) -> Iterator[tuple[str, str, list[Post]]]:
    """Yield what is asked of a platform: its name, the endpoint, the requests."""
    for endpoint in (_LIST, _MESSAGES, _INFO):
        yield endpoint, endpoint, requests[endpoint]
    for name, text in _FILTERS.items():
        yield name, _LIST, [_post({"page_size": _PAGE_SIZE, "filters": text})]
    for name, filters in _WALKS.items():
        yield name, _LIST, [_post(_middle(ours, filters))]
    yield "full text", _SEARCH, [_post({"page_size": _PAGE_SIZE, "query": _FULL_TEXT})]


def _measure_rates(report: Report, ours: Platform, posts: list[Post], seconds: float) -> None:
    for what, path in (("no-op, 32", "webhooks/health"), (f"{_INFO}, 32", _INFO)):
        load = wrk(f"{ours.url}/{path}", posts, connections=32, seconds=seconds)
        report.add(what, **load._asdict())


async def _measure_beside_postgres(
    report: Report, ours: Platform, size: int, options: Options
) -> None:
    """Ask the same of PostgreSQL, in turn with our store, both without HTTP."""
    conversations = (
        (_conversation(number), f"Facebook {_conversation(number)[-5:]}", number % _TAGGED == 0)
        for number in range(size)
    )
    messages = (
        (_conversation(int(contact[1:])), f"message q_{number}")
        for number, contact in enumerate(_contacts(size))
    )
    store = stored_partitions(ours.settings)
    wanted = full_text(_FULL_TEXT)
    assert wanted is not None
    report.facts["peer"] = postgres.version()
    console.print("  filling PostgreSQL", style="dim")
    async with inbox_tables(conversations, messages, _TAG) as peer:
        for _ in range(options.repeats):
            for name, text in _FILTERS.items():
                where = WHERE[name].format(tag=_TAG)
                report.add(
                    f"{name}, ours and PostgreSQL's",
                    ours_ms=await _median_of(
                        partial(store.filtered_conversations, parse(text), 0, _PAGE_SIZE)
                    ),
                    theirs_ms=await _median_of(partial(filtered, peer, where, _PAGE_SIZE)),
                )
            report.add(
                "full text, ours and PostgreSQL's",
                ours_ms=await _median_of(partial(store.found_messages, wanted, _PAGE_SIZE)),
                theirs_ms=await _median_of(partial(found, peer, _FULL_TEXT, _PAGE_SIZE)),
            )


def _measure_in_store(report: Report, ours: Platform, size: int) -> None:
    store = stored_partitions(ours.settings)
    for name, text in _FILTERS.items():
        took_ms = _median_ms(partial(store.filtered_conversations, parse(text), 0, _PAGE_SIZE))
        report.add(f"{_named(name, size)}, in the store", ms=took_ms)
    wanted = full_text(_FULL_TEXT)
    assert wanted is not None
    took_ms = _median_ms(partial(store.found_messages, wanted, _PAGE_SIZE))
    report.add(f"{_named('full text', size)}, in the store", ms=took_ms)


def _median_ms(ask: Callable[[], Coroutine[Any, Any, object]]) -> float:
    return asyncio.run(_median_of(ask))


async def _median_of(ask: Callable[[], Coroutine[Any, Any, object]]) -> float:
    await ask()
    took_s = []
    for _ in range(_IN_STORE):
        began = time.perf_counter()
        await ask()
        took_s.append(time.perf_counter() - began)
    return statistics.median(took_s) * 1_000


def _judge(report: Report) -> None:
    few, many = _SIZES[0], _SIZES[-1]
    for name in _WITHIN_LIMIT:
        report.require(
            f"filtered by {name}, in the store, {many:,}",
            report.median(f"{_named(name, many)}, in the store", "ms"),
            "ms",
            at_most=_FILTERED_MS_MAX,
        )
    for name in (*_FILTERS, "full text"):
        beside = f"{name}, ours and PostgreSQL's"
        pairs = zip(
            report.values(beside, "ours_ms"), report.values(beside, "theirs_ms"), strict=True
        )
        report.require(
            f"{name}: of PostgreSQL's time, {many:,}",
            statistics.median(ours / theirs for ours, theirs in pairs),
            at_most=1,
        )
    for endpoint in (_LIST, _MESSAGES, _INFO, _DEEP):
        report.require(
            f"{endpoint}: median with {many:,}, to that with {few:,}",
            report.ratio(_named(endpoint, many), _named(endpoint, few), "p50_ms"),
            at_most=_SLOWER_MAX,
        )
    report.require(
        f"{_DEEP}: median, to that of the first, {many:,}",
        report.ratio(_named(_DEEP, many), _named(_LIST, many), "p50_ms"),
        at_most=_SLOWER_MAX,
    )
    report.require(
        f"{_DEEP_TAGGED}: median, {many:,}",
        report.median(_named(_DEEP_TAGGED, many), "p50_ms"),
        "ms",
        at_most=_FILTERED_MS_MAX,
    )
    report.require(
        f"memory of the API's processes after all requests, to that before, {many:,}",
        report.median(f"API processes, {many:,}", "grown"),
        at_most=_GROWN_MAX,
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
    within_s = _FOLDED_S * max(1, stored // 1_000_000)
    with platform(directory, folding_s=within_s) as ours:
        ours.connect("facebook", PAGE)
        with console.status(f"folding {stored:,} messages"):
            ours.wait_until_projected(messages=stored, timeout_s=within_s)
            wait_until(lambda: _is_indexed(ours, size), "the search index", timeout_s=within_s)
            ours.wait_until_quiet(timeout_s=within_s)
        _check(ours, size)
        yield ours


def _is_indexed(ours: Platform, size: int) -> bool:
    asked = {"filters": f"tag_ids:{_TAG}", "page_size": 1}
    answer = httpx.post(f"{ours.url}/{_LIST}", json=asked, timeout=30)
    tagged = len(range(0, size, _TAGGED))
    return answer.is_success and answer.json()["pagination_data"]["total"] == tagged


def _fill(settings: Settings, size: int) -> int:
    """Write the logs of a new data directory; return how many messages are in them."""
    layout = prepare_data(settings)
    tails = {spec.index: LogTail(spec.directory) for spec in specs(settings, layout)}
    count = size + _busy(size) * (_PAGE_SIZE - 1)
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
    for index, records in _tagging(size, layout.partitions, Micros(began_at * 1_000)).items():
        tails[index].append(records)
    for tail in tails.values():
        tail.close()
    return count


def _tagging(size: int, partitions: int, at: Micros) -> dict[PartitionIndex, list[Prepared]]:
    """Return records that put the tag to some conversations."""
    records: dict[PartitionIndex, list[Prepared]] = {}
    for number in range(0, size, _TAGGED):
        conversation = _conversation(number)
        identifier = parse_id(conversation)
        command = DescribeConversation(
            id=format_id(command_id(slot_of(identifier), f"tag {number}".encode())),
            conversation_id=conversation,
            values={f"tags.{_TAG}": ""},
        )
        body = commands.encode(command)
        record = Record(at, "command", "api", body, payload_id(body))
        records.setdefault(owner_of(identifier, partitions), []).append(prepare(record))
    return records


def _contacts(size: int) -> Iterable[str]:
    """Yield who writes: everybody once, the busy ones as often as fills a page."""
    busy = [f"u{number}" for number in range(_busy(size))]
    for _ in range(_PAGE_SIZE - 1):
        yield from busy
    for number in range(size):
        yield f"u{number}"


def _busy(size: int) -> int:
    """Return how many of `size` conversations have a full page of messages."""
    wanted = (_MESSAGES_IN_ALL - size) // (_PAGE_SIZE - 1) if size == _SIZES[-1] else 0
    return min(size, max(wanted, _BUSY))


def _requests(size: int) -> dict[str, list[Post]]:
    """Return what is asked, each time of another conversation drawn at random."""
    draw = Random(size)
    anyone = draw.sample(range(size), min(size, _ASKED))
    busy = draw.sample(range(_busy(size)), min(_busy(size), _BUSY))
    return {
        _LIST: [_post({"page_size": _PAGE_SIZE})],
        _MESSAGES: [
            _post({"conversation_id": _conversation(number), "page_size": _PAGE_SIZE})
            for number in busy
        ],
        _INFO: [_post({"conversation_id": _conversation(number)}) for number in anyone],
    }


def _middle(ours: Platform, filters: dict[str, object]) -> dict[str, object]:
    """Return what asks for the page in the middle of a list, by the cursor that leads there."""
    asked: dict[str, object] = dict(filters)
    found = ours.post(f"/{_LIST}", asked | {"page_size": 1})["pagination_data"]["total"]
    for left in range(found // 2, 0, -_WALKED):
        listed = ours.post(f"/{_LIST}", asked | {"page_size": min(left, _WALKED)})
        asked["cursor"] = listed["pagination_data"]["next_cursor"]
    return asked | {"page_size": _PAGE_SIZE}


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
