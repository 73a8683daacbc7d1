"""Bodies that no platform should send: they are read, ignored or refused, whatever is in them."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.errors import PayloadError
from airy_ray.model import json_text
from airy_ray.partition.interpret import PARSERS
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.google import Google
from airy_ray.sources.source import Parsed, Received, Replaced, Source, Webhook
from airy_ray.sources.telegram import Telegram
from airy_ray.sources.twilio import Twilio
from airy_ray.sources.viber import Viber
from airy_ray.sources.whatsapp import Whatsapp
from tests import manifests

FIXTURES = Path(__file__).parents[2] / "fixtures"
SOURCES: dict[str, Source] = {
    "facebook": Facebook("secret", app_id="1"),
    "google": Google("key"),
    "twilio": Twilio("token"),
    "viber": Viber("token", lambda: manifests.VIBER_ACCOUNT),
    "telegram": Telegram(lambda _: "secret"),
    "whatsapp": Whatsapp("secret"),
}
FILES = {
    "facebook": [*FIXTURES.glob("facebook/in_*"), *FIXTURES.glob("instagram/in_*")],
    "google": [*FIXTURES.glob("google/in_*"), *FIXTURES.glob("google/rcs_*")],
    "twilio": [*FIXTURES.glob("twilio.*/in_*"), *FIXTURES.glob("twilio.*/cb_*")],
    "viber": [*FIXTURES.glob("viber/in_*"), *FIXTURES.glob("viber/seed_*")],
    "telegram": [*FIXTURES.glob("telegram/in_*")],
    "whatsapp": [*FIXTURES.glob("whatsapp/in_*"), *FIXTURES.glob("whatsapp/seed_*")],
}
BODIES = {source: sorted(path.read_bytes() for path in paths) for source, paths in FILES.items()}
ODDITIES: list[Any] = [
    *(None, True, False, 0, -1, 2**53, 2**63, 2**64, -(2**63) - 1, 10**30, 1.5, 1e308),
    *("", "null", "--5", "-", "٣", "1763712000000", "\x00", "\ud83d", "\ude00\ud83d", "é" * 300),
    *([], {}, [[]], [None], [{}], {"id": None}, {"id": []}, {"": {}}),
    *("<1e400>", "<-1e400>", f"<{'1' * 5_000}>", "<NaN>", '<{"id":"1","id":2}>'),
]
"""Instead of any part of a body. What stands in `<>` gets into it as it is."""

sources = pytest.mark.parametrize("source", SOURCES)


def read(source: str, body: bytes) -> Parsed | None:
    """Return what a body says, None when it is refused; nothing but that may happen."""
    url = f"https://core.example.org/{source}/{manifests.TELEGRAM_BOT}"
    webhook = Webhook(body, manifests.KEPT.get(source, {}), url)
    try:
        routes = SOURCES[source].routes(webhook)
        parsed = PARSERS[source](webhook)
    except PayloadError:
        return None
    assert {event.key for event in parsed.events} <= set(routes)
    for event in parsed.events:
        if isinstance(event, Received | Replaced):
            received = event.received if isinstance(event, Replaced) else event
            assert json_text.compact(received.content) == received.content
            assert b"lone:" not in received.content
    return parsed


def spelled(value: Any) -> bytes:
    """Return a value as the text of a body."""
    return _AS_IT_IS.sub(lambda found: json.loads(found[0])[1:-1], json.dumps(value)).encode()


_AS_IT_IS = re.compile(r'"<(?:[^"\\>]|\\.)+>"')


def pushed(value: Any) -> bytes:
    """Return the body in which an RCS event comes."""
    data = b64encode(spelled(value)).decode()
    return json.dumps({"message": {"data": data, "publishTime": "2025-11-21T08:00:00Z"}}).encode()


def values_of(source: str) -> Iterator[tuple[Any, Callable[[Any], bytes]]]:
    """Yield the values of a source's bodies, and how to make a body of one."""
    for body in BODIES[source]:
        try:
            value = json.loads(body)
        except ValueError:
            continue
        yield value, spelled
        if isinstance(value.get("message"), dict) and "data" in value["message"]:
            yield json.loads(b64decode(value["message"]["data"])), pushed


VALUES = {source: list(values_of(source)) for source in SOURCES}


def spoiled(value: Any) -> Iterator[Any]:
    """Yield a value with each of its parts, in turn, replaced by each oddity."""
    yield from ODDITIES
    for place, part in parts(value):
        for other in spoiled(part):
            changed = value.copy()
            changed[place] = other
            yield changed


def parts(value: Any) -> list[tuple[Any, Any]]:
    """Return the parts of a value and where they are."""
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


@sources
def test_any_part_of_a_body_may_be_anything(source: str) -> None:
    for value, as_body in VALUES[source]:
        for other in spoiled(value):
            read(source, as_body(other))


def spoiled_often(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """Return a value with one of its parts replaced, taken away, moved or put twice."""
    inner = parts(value)
    if not inner or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(ODDITIES))
    place, part = draw(st.sampled_from(inner))
    changed = value.copy()
    match draw(st.integers(0, 6)):
        case 0:
            del changed[place]
        case 1 if isinstance(value, list):
            changed.append(part)
        case 1:
            changed[draw(st.sampled_from(["id", "mid", "message", "postback", "x"]))] = part
        case _:
            changed[place] = spoiled_often(part, draw)
    return changed


@sources
@settings(max_examples=300)
@given(data=st.data())
def test_a_body_spoiled_in_several_places_is_read_or_refused(
    source: str, data: st.DataObject
) -> None:
    value, as_body = data.draw(st.sampled_from(VALUES[source]))
    for _ in range(data.draw(st.integers(1, 4))):
        value = spoiled_often(value, data.draw)

    read(source, as_body(value))


@sources
@settings(max_examples=150)
@given(data=st.data())
def test_a_damaged_body_is_read_or_refused(source: str, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(BODIES[source]))
    at = data.draw(st.integers(0, len(body)))
    junk = data.draw(st.binary(max_size=4))

    read(source, body[:at] + junk + body[at + data.draw(st.integers(0, 4)) :])


@sources
@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(source: str, body: bytes) -> None:
    read(source, body)


NESTED = {
    "facebook": b'{"object":"page","entry":[{"id":"1","messaging":[{"sender":{"id":"2"},'
    b'"message":{"mid":"m","x":%s}}]}]}',
    "google": b'{"agent":"brands/b/agents/a","conversationId":"c","message":{"x":%s}}',
    "viber": b'{"event":"message","message_token":1,"sender":{"id":"2"},"message":{"x":%s}}',
    "telegram": b'{"update_id":1,"message":{"chat":{"id":2},"message_id":3,"x":%s}}',
    "whatsapp": b'{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages",'
    b'"value":{"metadata":{"phone_number_id":"1"},"messages":[{"from":"2","id":"m","x":%s}]}}]}]}',
}

nesting = pytest.mark.parametrize("source", NESTED)


@nesting
@pytest.mark.parametrize(("depth", "is_read"), [(150, True), (300, False), (100_000, False)])
def test_a_body_may_nest_only_so_deep(source: str, depth: int, is_read: bool) -> None:
    body = NESTED[source] % (b"[" * depth + b"]" * depth)

    assert (read(source, body) is not None) is is_read


@nesting
@pytest.mark.parametrize("depth", [*range(190, 210, 5), *range(900, 1_000, 5)])
def test_what_a_body_says_does_not_depend_on_who_asks(source: str, depth: int) -> None:
    """A parser that gives up at the end of the stack would say this here and that in a replay."""
    body = NESTED[source] % (b"[" * depth + b"]" * depth)

    assert read(source, body) == called_deeper(20, lambda: read(source, body))


def called_deeper(frames: int, call: Callable[[], Any]) -> Any:
    """Return what a function says when it is called from further down the stack."""
    return call() if frames == 0 else called_deeper(frames - 1, call)


@nesting
def test_long_runs_of_one_character_do_not_hang_a_parser(source: str) -> None:
    for run in (b"\\", b"\\u", b"\\ud8", b'"', b"{", b"[", b"1", b"-", b"\xed", b" "):
        read(source, NESTED[source] % (b'"' + run * 100_000 + b'"'))
        read(source, NESTED[source] % (run * 100_000))
        read(source, run * 100_000)
