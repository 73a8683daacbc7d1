"""Messages of ours reach their source at 0.7 of the rate of plain calls, whatever others do.

`messages.send`, the courier and Facebook, played, against as many calls of httpx to the same place,
32 at once as the courier makes them. Then Facebook while every call to Google times out, beside
Facebook alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import count, cycle, islice
from typing import NamedTuple

import httpx
import msgspec
import uvloop

from airy_ray.clock import now_millis
from airy_ray.model.ids import channel_id, conversation_id, format_id
from airy_ray.simulator.business_messages import signature
from airy_ray.simulator.http import HttpClient, NoReplyError
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.played import PAGE_TOKEN, Played, played
from benchmarks.system import APP_SECRET, PAGE, Platform, platform
from benchmarks.timing import paced
from benchmarks.traffic import agent_messages, signed, text_messages

_OF_PLAIN_CALLS = 0.7
_SLOWER_MAX = 1.2

_PAGES = [str(int(PAGE) + number) for number in range(4)]
"""So many that Facebook's pace for each, 300 a second, is no limit."""
_AGENT = "agent-1"
_CONTACTS = 400
_AT_ONCE = 32
"""As the courier has it, for each source."""
_SENDS = 200
"""Messages for each second of the options; they take as long as they take."""
_WARM_SENDS = 200
_RATE = 20
"""Messages a second to each source where latency is measured."""
_WAITING = 200
"""Messages to Google that wait when its first calls time out."""
_REPLY_S = 30.0
_TAKEN_S = 120.0
_TIMED_OUT_S = 60.0


class _Bench(NamedTuple):
    """A platform with conversations of both sources, and these.

    Attributes:
        facebook: conversations, some on each page, again and again.
        google: those of an agent.
        texts: numbers, none twice.
    """

    ours: Platform
    sources: Played
    facebook: Iterator[str]
    google: Iterator[str]
    texts: Iterator[str]


def run(options: Options) -> int:
    """Measure rates in turn, then latencies in turn; again and again, on one platform."""
    report = Report("courier", "messages of ours: at the pace of plain calls, whoever is slow")
    with (
        played(_PAGES) as sources,
        temporary_directory() as directory,
        platform(directory, sources.settings) as ours,
    ):
        facebook, google = uvloop.run(_begun(ours))
        bench = _Bench(ours, sources, cycle(facebook), cycle(google), map(str, count()))
        uvloop.run(_sends_per_s(bench, _WARM_SENDS))
        for _ in range(options.repeats):
            sends = int(_SENDS * options.seconds)
            report.add("plain calls", sends_per_s=uvloop.run(_calls_per_s(bench, sends)))
            report.add("courier", sends_per_s=uvloop.run(_sends_per_s(bench, sends)))
        for _ in range(options.repeats):
            report.add("Facebook alone", **uvloop.run(_latency(bench, options.seconds)))
            report.add("Google times out", **uvloop.run(_latency_beside(bench, options.seconds)))
    _judge(report)
    return report.finish()


def _judge(report: Report) -> None:
    report.require(
        f"of the rate of plain calls, {_AT_ONCE} at once",
        report.ratio("courier", "plain calls", "sends_per_s"),
        at_least=_OF_PLAIN_CALLS,
    )
    for what in ("plain calls", "courier"):
        report.require(f"{what}: sends/s", report.median(what, "sends_per_s"))
    report.require(
        "of Facebook's latency alone, Google timing out",
        report.ratio("Google times out", "Facebook alone", "p50_ms"),
        at_most=_SLOWER_MAX,
    )
    for what in ("Facebook alone", "Google times out"):
        report.require(
            f"{what}: from messages.send to the call", report.median(what, "p50_ms"), "ms"
        )


# --- how many -------------------------------------------------------------------------------------


async def _calls_per_s(bench: _Bench, sends: int) -> float:
    """Call Facebook with so many messages as the courier does; return the rate."""
    bench.sources.forget("facebook")
    texts = islice(bench.texts, sends)
    url = f"{bench.sources.url}/v25.0/me/messages"
    tokens = cycle([bench.sources.page_token(page) for page in _PAGES])
    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
    async with httpx.AsyncClient(limits=limits, timeout=_REPLY_S) as http:

        async def call(text: str) -> None:
            body = {"recipient": {"id": "u"}, "message": {"text": text}}
            headers = {"authorization": f"Bearer {next(tokens)}"}
            answer = await http.post(url, json=body, headers=headers)
            answer.raise_for_status()

        began_ns = time.monotonic_ns()
        await _at_once(call, texts)
    return _taken_per_s(bench, sends, began_ns)


async def _sends_per_s(bench: _Bench, sends: int) -> float:
    """Have so many messages sent; return the rate at which Facebook takes them."""
    bench.sources.forget("facebook")
    texts = list(islice(bench.texts, sends))
    async with HttpClient(bench.ours.url, connections=_AT_ONCE) as http:
        began_ns = time.monotonic_ns()
        await _at_once(lambda text: _send(http, next(bench.facebook), text), texts)
    return _taken_per_s(bench, sends, began_ns)


def _taken_per_s(bench: _Bench, sends: int, began_ns: int) -> float:
    bench.sources.wait_until_taken("facebook", sends, timeout_s=_TAKEN_S)
    ended_ns = max(bench.sources.taken_at_ns("facebook").values())
    return sends / (ended_ns - began_ns) * 1e9


async def _at_once(make: Callable[[str], Awaitable[None]], texts: Iterable[str]) -> None:
    """Do something with each text, with `_AT_ONCE` of them at any time."""
    left = iter(texts)

    async def take() -> None:
        for text in left:
            await make(text)

    await asyncio.gather(*(take() for _ in range(_AT_ONCE)))


# --- how soon -------------------------------------------------------------------------------------


async def _latency(bench: _Bench, seconds: float) -> dict[str, float]:
    """Return how long messages take from the answer to `messages.send` until Facebook is called."""
    bench.sources.forget("facebook")
    return _took(bench, await _sent_at_a_rate(bench, bench.facebook, seconds))


async def _latency_beside(bench: _Bench, seconds: float) -> dict[str, float]:
    """Return the same while Google answers nothing: from its first time-outs on."""
    sources = bench.sources
    sources.forget("facebook")
    sources.forget("google")
    sources.hold_up()
    try:
        async with HttpClient(bench.ours.url, connections=_AT_ONCE) as http:
            texts = islice(bench.texts, _WAITING)
            await _at_once(lambda text: _send(http, next(bench.google), text), texts)
        # the courier makes no more calls at once: others come when these have timed out
        sources.wait_until_called("google", _AT_ONCE + 1, timeout_s=_TIMED_OUT_S)
        accepted_ns, others = await asyncio.gather(
            _sent_at_a_rate(bench, bench.facebook, seconds),
            _sent_at_a_rate(bench, bench.google, seconds),
        )
        took = _took(bench, accepted_ns)
    finally:
        sources.let_go_on()
    sources.wait_until_taken("google", _WAITING + len(others), timeout_s=_TAKEN_S)
    return took


def _took(bench: _Bench, accepted_ns: dict[str, int]) -> dict[str, float]:
    bench.sources.wait_until_taken("facebook", len(accepted_ns), timeout_s=_TAKEN_S)
    came_ns = bench.sources.came_at_ns("facebook")
    took_ms = sorted((came_ns[text] - at) / 1e6 for text, at in accepted_ns.items())
    return {
        "p50_ms": took_ms[len(took_ms) // 2],
        "p99_ms": took_ms[len(took_ms) * 99 // 100],
        "sends": len(took_ms),
    }


async def _sent_at_a_rate(
    bench: _Bench, conversations: Iterator[str], seconds: float
) -> dict[str, int]:
    """Have messages sent; return when each was accepted, by its text."""
    marks = [int(text) for text in islice(bench.texts, int(_RATE * seconds))]
    async with HttpClient(bench.ours.url, connections=_AT_ONCE) as http:

        async def publish(some: Sequence[int]) -> None:
            for mark in some:
                await _send(http, next(conversations), str(mark))

        accepted_ns = await paced(publish, _RATE, marks)
    return dict(zip(map(str, marks), accepted_ns, strict=True))


# --- the platform ---------------------------------------------------------------------------------


async def _begun(ours: Platform) -> tuple[list[str], list[str]]:
    """Connect pages and an agent, and have people write; return the conversations of either."""
    at = now_millis()
    contacts = [f"u{number}" for number in range(_CONTACTS)]
    pages = [_PAGES[number % len(_PAGES)] for number in range(_CONTACTS)]
    async with HttpClient(ours.url, connections=_AT_ONCE) as http:
        for page in _PAGES:
            asked = {"page_id": page, "page_token": PAGE_TOKEN}
            await _post(http, "/channels.facebook.connect", msgspec.json.encode(asked))
        asked = {"gbm_id": _AGENT, "name": "Agent"}
        await _post(http, "/channels.google.connect", msgspec.json.encode(asked))
        for page in _PAGES:
            writing = (each for each, to in zip(contacts, pages, strict=True) if to == page)
            for body in text_messages(page, writing, begin_at=at, page=page):
                (header,) = signed(body).headers
                await _post(http, "/webhooks/facebook", body, header)
        for body in agent_messages(_AGENT, contacts):
            await _post(http, "/webhooks/google", body, signature(APP_SECRET, body))
    ours.wait_until_projected(messages=2 * _CONTACTS)
    facebook = [
        _conversation("facebook", page, each) for page, each in zip(pages, contacts, strict=True)
    ]
    return facebook, [_conversation("google", _AGENT, each) for each in contacts]


def _conversation(source: str, channel: str, contact: str) -> str:
    return format_id(conversation_id(channel_id(source, channel), contact))


async def _send(http: HttpClient, conversation: str, text: str) -> None:
    asked = {"conversation_id": conversation, "message": {"text": text}}
    await _post(http, "/messages.send", msgspec.json.encode(asked))


async def _post(http: HttpClient, path: str, body: bytes, *headers: tuple[str, str]) -> None:
    try:
        answer = await http.post(path, body, headers, timeout_s=_REPLY_S)
    except NoReplyError as error:
        raise BenchmarkError(f"{path}: {error}") from None
    if not answer.is_success:
        raise BenchmarkError(f"{path}: {answer.status} {answer.body.decode(errors='replace')}")


if __name__ == "__main__":
    main(run, __doc__, seconds=10, repeats=5)
