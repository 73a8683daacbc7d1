"""What a run came to: what was sent, what was answered, what was found again."""

from dataclasses import dataclass
from typing import Any

from airy_ray.simulator.oracle import KINDS_OF_WRONG, Verdict
from airy_ray.simulator.retries import Answers

_QUANTILES = (0.5, 0.99)


@dataclass(frozen=True)
class Door:
    """One way in: how often it was called and answered, and how quickly.

    Attributes:
        attempts: by status; "none" where no answer came.
        latency_ms: of successful attempts, by quantile.
    """

    acknowledged: int
    retries: int
    given_up: int
    attempts: dict[str, int]
    latency_ms: dict[str, float]


@dataclass(frozen=True)
class Report:
    """Everything worth telling about a run.

    Attributes:
        began: requests that were begun, repetitions apart.
        took_s: until the last of them was settled.
        reads: how many times a conversation was marked as read.
        answers: how many messages users wrote.
    """

    seed: int
    run: str
    began: int
    took_s: float
    reads: int
    answers: int
    doors: dict[str, Door]
    verdict: Verdict

    @property
    def is_clean(self) -> bool:
        """Whether all that was acknowledged was found as it has to be, and there was something."""
        return self.verdict.is_clean and self.verdict.acknowledged > 0

    def rows(self) -> list[tuple[str, object]]:
        """Return the report as lines of a table."""
        verdict = self.verdict
        rows: list[tuple[str, object]] = [
            ("seed, run", f"{self.seed}, {self.run}"),
            ("requests", f"{self.began:,} in {self.took_s:.1f} s"),
        ]
        rows += [(name, _told(door)) for name, door in self.doors.items()]
        rows += [
            ("marked as read", self.reads),
            ("answered", self.answers),
            ("messages sent", f"{verdict.sent:,}"),
            ("messages acknowledged", f"{verdict.acknowledged:,}"),
            ("messages found", f"{verdict.found:,} in {verdict.conversations:,} conversations"),
        ]
        rows += [(f"wrong: {kind}", verdict.wrong[kind]) for kind in KINDS_OF_WRONG]
        return rows

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        verdict = self.verdict
        return {
            "seed": self.seed,
            "run": self.run,
            "requests": self.began,
            "took_s": round(self.took_s, 3),
            "doors": {name: vars(door) for name, door in self.doors.items()},
            "reads": self.reads,
            "answers": self.answers,
            "messages": {
                "sent": verdict.sent,
                "acknowledged": verdict.acknowledged,
                "found": verdict.found,
                "conversations": verdict.conversations,
            },
            "wrong": {kind: verdict.wrong[kind] for kind in KINDS_OF_WRONG},
            "examples": verdict.examples,
            "is_clean": self.is_clean,
        }


def door(answers: Answers) -> Door:
    """Return what the answers at one door come to."""
    latencies = sorted(ack.latency_s for ack in answers.acks)
    return Door(
        acknowledged=len(latencies),
        retries=answers.retries,
        given_up=answers.given_up,
        attempts={str(status or "none"): n for status, n in sorted(answers.by_status.items())},
        latency_ms={
            f"p{round(quantile * 100)}": round(1_000 * latencies[int(quantile * len(latencies))], 2)
            for quantile in _QUANTILES
            if latencies
        },
    )


def _told(door: Door) -> str:
    parts = [f"{door.acknowledged:,} acknowledged", f"{door.retries:,} retries"]
    if door.given_up:
        parts.append(f"{door.given_up:,} given up")
    parts += [f"{name} {millis:g} ms" for name, millis in door.latency_ms.items()]
    refused = {status: n for status, n in door.attempts.items() if not status.startswith("2")}
    if refused:
        parts.append("refused: " + ", ".join(f"{n}x {status}" for status, n in refused.items()))
    return "; ".join(parts)
