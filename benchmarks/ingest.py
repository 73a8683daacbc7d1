"""Webhooks are on disk before the 200, sooner than in PostgreSQL, and readable within a second."""

from collections.abc import Sequence
from random import Random

import httpx

from airy_ray.clock import now_millis
from benchmarks.load import Load, Post, wrk
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.peers import postgres
from benchmarks.system import PAGE, platform
from benchmarks.traffic import signed, text_messages

_NO_OP_SHARE = 0.5
_PEER_MULTIPLE = 1.5
_PROJECTED_S = 1.0

_CONTACTS = 1_000
_CONNECTIONS = (32, 1)
_RATES_MAX = {32: 15_000, 1: 5_000}
"""Requests a second that nothing here reaches: for so many there are messages."""
_WARM_UP = "warm-up"
_WARM_UP_S = 2.0
_SETTLED_S = 60.0

Messages = dict[str, list[Post]]


def run(options: Options) -> int:
    """Load one after the other, each on a new data directory; what is not loaded is not running."""
    report = Report("ingest", "webhooks: durable, fast, and readable at once")
    report.facts["peer"] = f"FastAPI, asyncpg, {postgres.version()}"
    for repeat in range(options.repeats):
        messages = _messages(options.seconds)
        ways = [_measure_platform, _measure_peer]
        for measure in ways if repeat % 2 == 0 else reversed(ways):
            measure(report, messages, options.seconds)
    _judge(report)
    return report.finish()


def _judge(report: Report) -> None:
    report.require(
        "of the no-op's requests/s, 32 connections",
        report.ratio("webhook, 32", "no-op, 32", "rate"),
        at_least=_NO_OP_SHARE,
    )
    report.require(
        "of PostgreSQL's requests/s, 32 connections",
        report.ratio("webhook, 32", "PostgreSQL, 32", "rate"),
        at_least=_PEER_MULTIPLE,
    )
    report.require(
        "of PostgreSQL's p99, 32 connections",
        report.ratio("webhook, 32", "PostgreSQL, 32", "p99_ms"),
        at_most=1,
    )
    report.require(
        "of PostgreSQL's median, 1 connection",
        report.ratio("webhook, 1", "PostgreSQL, 1", "p50_ms"),
        at_most=1,
    )
    waits = [wait for each in _CONNECTIONS for wait in report.values(f"webhook, {each}", "lag_s")]
    report.require("until the last is projected, at worst", max(waits), "s", at_most=_PROJECTED_S)


def _measure_platform(report: Report, messages: Messages, seconds: float) -> None:
    with temporary_directory() as directory, platform(directory) as ours:
        ours.connect("facebook", PAGE)
        no_op, webhooks = f"{ours.url}/webhooks/health", f"{ours.url}/webhooks/facebook"
        wrk(webhooks, messages[_WARM_UP], connections=32, seconds=_WARM_UP_S)
        ours.wait_until_projected()
        for connections in _CONNECTIONS:
            posts = messages[f"{connections}"]
            load = wrk(no_op, posts, connections=connections, seconds=seconds)
            report.add(f"no-op, {connections}", **load._asdict())
            before = ours.progress().messages
            load = wrk(webhooks, posts, connections=connections, seconds=seconds)
            _check(load, connections, posts)
            lag_s = ours.wait_until_projected(messages=before + load.requests, timeout_s=_SETTLED_S)
            report.add(f"webhook, {connections}", **load._asdict(), lag_s=lag_s)


def _measure_peer(report: Report, messages: Messages, seconds: float) -> None:
    with postgres.fastapi_inbox() as url:
        webhooks = f"{url}/facebook"
        wrk(webhooks, messages[_WARM_UP], connections=32, seconds=_WARM_UP_S)
        for connections in _CONNECTIONS:
            posts = messages[f"{connections}"]
            before = _stored(url)
            load = wrk(webhooks, posts, connections=connections, seconds=seconds)
            _check(load, connections, posts)
            if _stored(url) - before < load.requests:
                raise BenchmarkError("PostgreSQL does not hold what was acknowledged")
            report.add(f"PostgreSQL, {connections}", **load._asdict())


def _check(load: Load, connections: int, posts: Sequence[Post]) -> None:
    """See that no message was sent twice, which would be less work."""
    if load.requests + connections >= len(posts):
        raise BenchmarkError("there were too few messages for this machine; raise _RATES_MAX")


def _messages(seconds: float) -> Messages:
    name, draw = f"{now_millis()}", Random()
    counts = {f"{each}": int(rate * seconds) for each, rate in _RATES_MAX.items()}
    counts[_WARM_UP] = int(_RATES_MAX[32] * _WARM_UP_S)
    return {
        part: [
            signed(body)
            for body in text_messages(
                f"{name}_{part}",
                (f"u{draw.randrange(_CONTACTS)}" for _ in range(count)),
                begin_at=now_millis(),
            )
        ]
        for part, count in counts.items()
    }


def _stored(url: str) -> int:
    count: int = httpx.get(f"{url}/messages", timeout=30).json()
    return count


if __name__ == "__main__":
    main(run, __doc__)
