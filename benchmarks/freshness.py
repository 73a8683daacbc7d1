"""What a command did is in a filtered list within 300 ms, and in an unfiltered one at once.

A conversation is tagged, one at a time, while other traffic comes in; the clock runs from the
answer to the tagging until the list that is filtered by the tag shows the conversation.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx

from airy_ray.clock import now_millis
from benchmarks.load import Post, wrk
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.system import PAGE, Platform, platform
from benchmarks.traffic import signed, text_messages

_FRESH_MS_MAX = 300
_GIVE_UP_S = 10.0
_OTHERS = 5_000
_CONTACTS = 500


def run(options: Options) -> int:
    """Tag conversations on a quiet platform, then beside webhooks; again and again."""
    report = Report("freshness", "a filtered list shows what was done a moment ago")
    with temporary_directory() as directory, platform(directory) as ours:
        ours.connect("facebook", PAGE)
        with httpx.Client(base_url=ours.url, timeout=30) as client:
            conversation = _begin(client)
            for _ in range(options.repeats):
                _measure(report, "quiet", client, conversation, options.seconds)
                with _traffic(ours, options.seconds + 1):
                    _measure(report, "beside webhooks", client, conversation, options.seconds)
    for what in ("quiet", "beside webhooks"):
        for number in ("p50_ms", "p99_ms"):
            report.require(
                f"{what}: until a filter finds it, {number.removesuffix('_ms')}",
                report.median(what, number),
                "ms",
                at_most=_FRESH_MS_MAX if what == "quiet" or number == "p50_ms" else None,
            )
    report.require(
        "commands whose effect the next unfiltered read does not show",
        sum(map(sum, (report.values(what, "stale") for what in ("quiet", "beside webhooks")))),
        at_most=0,
    )
    return report.finish()


def _begin(client: httpx.Client) -> str:
    """Have a visitor write; return the conversation."""
    website = _post(client, "/channels.chatplugin.connect", {"name": "Shop"})["id"]
    token = _post(client, "/chatplugin.authenticate", {"channel_id": website})["token"]
    headers = {"authorization": f"Bearer {token}"}
    sent = client.post("/chatplugin.send", json={"message": {"text": "Hi"}}, headers=headers)
    conversation: str = sent.json()["sender"]["id"]
    return conversation


def _measure(
    report: Report, what: str, client: httpx.Client, conversation: str, seconds: float
) -> None:
    took_ms = []
    stale = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        tag = str(uuid4())
        asked = {"conversation_id": conversation, "tag_id": tag}
        _post(client, "/conversations.tag", asked)
        began = time.perf_counter()
        shown = _post(client, "/conversations.info", {"conversation_id": conversation})
        stale += tag not in shown["metadata"]["tags"]
        while _total(client, tag) == 0:
            if time.perf_counter() - began > _GIVE_UP_S:
                raise BenchmarkError(f"a tag is not found within {_GIVE_UP_S:g} s")
        took_ms.append((time.perf_counter() - began) * 1_000)
        _post(client, "/conversations.untag", asked)
    took_ms.sort()
    report.add(
        what,
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
        commands=len(took_ms),
        stale=stale,
    )


def _total(client: httpx.Client, tag: str) -> int:
    found = _post(client, "/conversations.list", {"filters": f"tag_ids:({tag})", "page_size": 1})
    total: int = found["pagination_data"]["total"]
    return total


@contextmanager
def _traffic(ours: Platform, seconds: float) -> Iterator[None]:
    """Send webhooks over one connection meanwhile."""
    contacts = (f"u{number % _CONTACTS}" for number in range(_OTHERS))
    bodies = text_messages(str(uuid4()), contacts, begin_at=now_millis())
    posts: list[Post] = [signed(body) for body in bodies]
    url = f"{ours.url}/webhooks/facebook"
    sender = threading.Thread(
        target=lambda: wrk(url, posts, connections=1, seconds=seconds), daemon=True
    )
    sender.start()
    try:
        yield
    finally:
        sender.join()


def _post(client: httpx.Client, path: str, asked: object) -> Any:
    answer = client.post(path, json=asked)
    if not answer.is_success:
        raise BenchmarkError(f"{path}: {answer.status_code} {answer.text}")
    return answer.json() if answer.content else None


if __name__ == "__main__":
    main(run, __doc__, seconds=10, repeats=3)
