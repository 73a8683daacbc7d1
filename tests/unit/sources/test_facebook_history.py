"""What Meta tells of the past of a page, read as if its webhooks had told it."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.simulator.graph_past import Past, PastConversation, PastMessage
from airy_ray.sources import facebook, facebook_history
from airy_ray.sources.facebook_history import LATER, PAGE, UNREAD, History, Thread
from airy_ray.sources.sending import Later, Refused, Reply
from airy_ray.sources.source import Key, Parsed, Recalled, Received, Webhook

ADA = Key("facebook", "page", "ada")
SECOND = 1_763_712_000
TOKEN = "EAAsecret"
URL = f"https://graph.example.org/v25.0/page/conversations?access_token={TOKEN}"


def reply(told: Any) -> Reply:
    return Reply(200, json.dumps(told).encode())


def threads(past: Past, limit: int = 25, messages: int = 25) -> list[Thread]:
    """Return what the first page of conversations tells."""
    fields = f"id,messages.limit({messages}){{id}}"
    told = past.threads("page", {"fields": fields, "limit": str(limit)}, URL)
    listed = facebook_history.listed(reply(told))
    assert listed is not None
    return listed.threads


def parsed(thread: Thread) -> Parsed:
    return facebook.parse(facebook_history.webhook_of("page", thread))


def recalled(thread: Thread) -> list[Recalled]:
    events = parsed(thread).events
    assert all(isinstance(each, Recalled) for each in events)
    return [each for each in events if isinstance(each, Recalled)]


def all_recalled(past: Past, messages: int) -> list[Recalled]:
    """Return all messages of the one conversation, oldest first, whichever page tells them."""
    [thread] = threads(past, messages=messages)
    found = recalled(thread)
    while thread.after is not None:
        query = {"limit": str(messages), "after": thread.after}
        told = past.messages("page", thread.known_as, query, URL)
        following = facebook_history.earlier("page", thread, reply(told))
        assert following is not None
        thread = following
        found = recalled(thread) + found
    return found


def past(*messages: PastMessage, unread: int = 0) -> Past:
    return Past({"page": [PastConversation("ada", messages, unread)]}, told_max=1_000)


def thread_of(message: dict[str, Any], **told: Any) -> Thread:
    """Return a conversation with one message, as Meta tells it."""
    both = [{"id": "page", "name": "A page"}, {"id": "ada", "name": "Ada"}]
    whole = {
        "id": "t_1",
        "participants": {"data": both},
        "messages": {"data": [{"id": "m1", "created_time": "2025-11-21T08:00:00+0000"} | message]},
    }
    listed = facebook_history.listed(reply({"data": [whole | told]}))
    assert listed is not None
    return listed.threads[0]


def said(**message: Any) -> Any:
    """Return what the content says of a message from the contact."""
    [event] = recalled(thread_of({"from": {"id": "ada"}} | message))
    return json.loads(event.received.content)["message"]


def test_a_message_is_read_as_its_webhook_would_be() -> None:
    [event] = recalled(threads(past(PastMessage("m1", SECOND, text="Grüße / \ud83d\ude00")))[0])
    item = {
        "sender": {"id": "ada"},
        "recipient": {"id": "page"},
        "timestamp": SECOND * 1_000 + 999,  # Meta tells the second alone
        "message": {"mid": "m1", "text": "Grüße / \ud83d\ude00"},
    }
    entry = {"id": "page", "time": 1, "messaging": [item]}
    body = json.dumps({"object": "page", "entry": [entry]}).encode()
    [live] = facebook.parse(Webhook(body, {})).events

    assert isinstance(live, Received)
    assert json.loads(event.received.content) == json.loads(live.content)
    assert event.received == Received(
        **{name: getattr(live, name) for name in live.__struct_fields__ if name != "content"},
        content=event.received.content,
    )


def test_a_message_of_the_page_is_an_echo() -> None:
    [event] = recalled(threads(past(PastMessage("m1", SECOND, is_from_page=True)))[0])

    assert (event.received.from_contact, event.received.is_echo, event.is_unread) == (
        False,
        True,
        False,
    )
    content = json.loads(event.received.content)
    assert content["message"] == {"mid": "m1", "is_echo": True}
    assert (content["sender"], content["recipient"]) == ({"id": "page"}, {"id": "ada"})


@pytest.mark.parametrize(
    ("told", "attachment"),
    [
        ({"image_data": {"url": "u"}, "mime_type": "image/png"}, "image"),
        ({"video_data": {"url": "u"}, "mime_type": "video/mp4"}, "video"),
        ({"file_url": "u", "mime_type": "audio/mpeg"}, "audio"),
        ({"file_url": "u", "mime_type": "application/pdf"}, "file"),
    ],
)
def test_files_are_attachments(told: dict[str, Any], attachment: str) -> None:
    assert said(attachments={"data": [told]}) == {
        "mid": "m1",
        "attachments": [{"type": attachment, "payload": {"url": "u"}}],
    }


def test_a_sticker_is_a_picture_and_what_was_shared_a_link() -> None:
    assert said(sticker="u")["attachments"] == [{"type": "image", "payload": {"url": "u"}}]
    shared = said(message="see", shares={"data": [{"link": "u", "name": "A shop"}]})
    assert shared == {
        "mid": "m1",
        "text": "see",
        "attachments": [
            {"type": "fallback", "title": "A shop", "url": "u", "payload": {"url": "u"}}
        ],
    }


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"from": {"id": "somebody else"}},
        {"from": {"id": "ada"}, "created_time": "yesterday"},
        {"from": {"id": "ada"}, "id": None},
        {"from": "ada"},
    ],
)
def test_a_message_that_is_not_told_any_more_is_left_out(message: dict[str, Any]) -> None:
    assert parsed(thread_of(message)) == Parsed([], ["a message that is not told"])


@pytest.mark.parametrize(
    "people", [[], ["page"], ["page", "ada", "bob"], [None, "page"], ["page", {"a": 1}]]
)
def test_a_conversation_that_is_not_with_one_contact_is_left_out(people: list[Any]) -> None:
    told = {"data": [{"id": each} for each in people]}
    thread = thread_of({"from": {"id": "ada"}}, participants=told)
    webhook = facebook_history.webhook_of("page", thread)

    assert facebook.parse(webhook) == Parsed([], ["not with one contact"])
    assert History().routes(webhook) == []


def test_what_is_kept_is_what_was_told_without_any_token() -> None:
    """Meta's lists name the address of what follows, and the token is in it, at any depth."""
    address = {"cursors": {"after": "c"}, "next": f"https://graph?access_token={TOKEN}"}
    files = {"data": [{"image_data": {"url": "u", "width": 1.50}}], "paging": address}
    message = {"from": {"id": "ada"}, "message": "Hi", "attachments": files, "new": [1e2]}
    thread = thread_of(message, paging=address)

    assert TOKEN.encode() not in thread.body
    [kept] = json.loads(thread.body)["messages"]["data"]
    assert kept == message | {
        "id": "m1",
        "created_time": "2025-11-21T08:00:00+0000",
        "attachments": {"data": files["data"]},
    }


def test_its_marker_makes_it_one_and_nothing_that_a_webhook_may_bring() -> None:
    thread = thread_of({"from": {"id": "ada"}})
    marked = facebook_history.webhook_of("page", thread)
    sent = facebook.Facebook("secret", app_id="1")

    assert History().routes(marked) == [ADA]
    assert History().kept_headers(marked) == {PAGE: "page", UNREAD: str(thread.unread), LATER: "0"}
    assert sent.kept_headers(marked) is None
    assert facebook.parse(Webhook(thread.body, {})) == Parsed([], ["object"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 5_000, b'{"data":{}}'])
def test_what_is_no_list_is_none(body: bytes) -> None:
    assert facebook_history.listed(Reply(200, body)) is None
    thread = thread_of({"from": {"id": "ada"}})
    assert facebook_history.earlier("page", thread, Reply(200, body)) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"a":' * 5_000])
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        facebook.parse(Webhook(body, {PAGE: "page", UNREAD: "0"}))


def test_meta_says_whether_it_may_pass() -> None:
    def refused(status: int, code: int, **headers: str) -> Refused | Later:
        body = json.dumps({"error": {"message": "no", "code": code}}).encode()
        return facebook_history.refusal(Reply(status, body, headers))

    assert isinstance(refused(400, 613), Later)
    assert isinstance(refused(400, 190), Refused)
    later = refused(429, 0, **{"retry-after": "120"})
    assert isinstance(later, Later)
    assert later.after_s == 120


MESSAGES = st.lists(
    st.builds(
        PastMessage,
        st.just(""),
        st.integers(0, 5).map(lambda later: SECOND + later),
        st.booleans(),
        st.text(max_size=3),
    ),
    min_size=1,
    max_size=12,
).map(
    lambda told: tuple(
        PastMessage(f"m{number}", each.at_s, each.is_from_page, each.text)
        for number, each in enumerate(sorted(told, key=lambda each: each.at_s))
    )
)


@settings(deadline=None)
@given(MESSAGES, st.integers(1, 5), st.integers(0, 12))
def test_pages_of_any_size_tell_every_message_once_and_in_order(
    messages: tuple[PastMessage, ...], limit: int, unread: int
) -> None:
    found = all_recalled(past(*messages, unread=unread), limit)

    assert [each.received.identity for each in found] == [each.known_as for each in messages]
    times = [each.received.sent_at or 0 for each in found]
    assert [each // 1_000 for each in times] == [each.at_s for each in messages]
    assert all(earlier < later for earlier, later in pairwise(times))


@settings(deadline=None)
@given(MESSAGES, st.integers(1, 5), st.integers(0, 12))
def test_unread_is_what_nobody_has_answered_and_meta_counts(
    messages: tuple[PastMessage, ...], limit: int, unread: int
) -> None:
    found = all_recalled(past(*messages, unread=unread), limit)
    answered = [number for number, each in enumerate(messages) if each.is_from_page]
    since = max(answered, default=-1) + 1
    first = max(len(messages) - unread, since)

    assert [each.is_unread for each in found] == [
        number >= first for number in range(len(messages))
    ]


class Cutting:
    """Cuts what was sent until an instant, or all."""

    def __init__(self, until: int, *, page: str = "page") -> None:
        self.headers = {PAGE: page}
        self._until = until

    def takes(self, key: Key, at: Millis | None) -> bool:
        return key == ADA and (at is None or at <= self._until)

    def names(self, part: bytes) -> bool:
        return b"ada" in part


@settings(deadline=None)
@given(MESSAGES, st.integers(-1, 6) | st.sampled_from([0.997, 0.998, 3.998]))
def test_what_is_left_of_a_thread_is_as_before(
    messages: tuple[PastMessage, ...], later: float
) -> None:
    [thread] = threads(past(*messages))
    until = round((SECOND + later) * 1_000)
    left = facebook.without(thread.body, Cutting(until))
    kept = [each for each in recalled(thread) if (each.received.sent_at or 0) > until]

    if left is None:
        assert not kept
    else:
        again = facebook.parse(Webhook(left, {PAGE: "page", UNREAD: str(thread.unread)})).events
        assert again == kept
    if len(kept) == len(messages):
        assert left is not None
        assert left == thread.body


@pytest.mark.parametrize("body", [b"", b"{}", b'{"of":"ada"}', b"\xff"])
def test_a_broken_thread_goes_if_it_names_somebody(body: bytes) -> None:
    left = facebook.without(body, Cutting(0))
    assert left == (None if b"ada" in body else body)
