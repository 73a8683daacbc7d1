"""A message is with 200 subscribers 10 ms after its webhook's 200, 60 ms at the 99th percentile.

At 10, 100 and 500 signed webhooks a second, one message each; beside RabbitMQ's web-STOMP, where
the time runs from the SEND.
"""

from functools import partial

import uvloop

from benchmarks.doors import door, received, sent
from benchmarks.measuring import Options, Report, main, temporary_directory
from benchmarks.peers.rabbitmq import rabbitmq, version
from benchmarks.subscribers import Door
from benchmarks.system import ANY_RATE, PAGE, platform
from benchmarks.timing import Publishing, timing

_RATES = (10, 100, 500)
_JUDGED = 100
_SUBSCRIBERS = 200
_P50_MS_MAX = 10
_P99_MS_MAX = 60


def run(options: Options) -> int:
    """Measure RabbitMQ and the platform in turn."""
    report = Report("latency", f"from a webhook's 200 to {_SUBSCRIBERS} subscribers")
    report.facts["peer"] = version()
    for _ in range(options.repeats):
        with rabbitmq() as node:
            publishing = partial(sent, node.door)
            uvloop.run(_measure(report, "RabbitMQ", node.door, publishing, options.seconds))
        with temporary_directory() as directory, platform(directory, ANY_RATE) as ours:
            ours.connect("facebook", PAGE)
            publishing = partial(received, ours.url)
            uvloop.run(_measure(report, "ours", door(ours), publishing, options.seconds))
    for rate in _RATES:
        _judge(report, rate)
    return report.finish()


def _judge(report: Report, rate: int) -> None:
    is_judged = rate == _JUDGED
    for number, at_most in (("p50_ms", _P50_MS_MAX), ("p99_ms", _P99_MS_MAX)):
        name = number.removesuffix("_ms")
        for whose in ("ours", "RabbitMQ"):
            report.require(
                f"{whose}, {rate}/s: {name}",
                report.median(_at(whose, rate), number),
                "ms",
                at_most=at_most if is_judged and whose == "ours" else None,
            )
    report.require(
        f"ours, {rate}/s: lost",
        sum(report.values(_at("ours", rate), "lost")),
        at_most=0 if is_judged else None,
    )


def _at(name: str, rate: int) -> str:
    return f"{name}, {rate}/s"


async def _measure(
    report: Report, name: str, to: Door, publishing: Publishing, seconds: float
) -> None:
    with timing(to, publishing) as timed:
        for rate in _RATES:
            report.add(_at(name, rate), **await timed.measure(_SUBSCRIBERS, rate, seconds))


if __name__ == "__main__":
    main(run, __doc__, seconds=10, repeats=3)
