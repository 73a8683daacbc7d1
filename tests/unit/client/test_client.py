"""The Python client: what it sends, what it makes of answers, when it tries again."""

import asyncio
import pickle
from collections.abc import Iterator
from uuid import UUID

import pytest

from airy_ray_client import Airy, AiryError, AsyncAiry
from tests.unit.client.server import Server, Told, server

CONVERSATION = "00000000-9f4e-4b74-9b33-1f7f4e2a0001"
TAG = {"id": "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001", "name": "VIP", "color": "tag-red"}
NOT_NOW = Told(503, {"message": "not now"}, {"retry-after": "0"})
NO_ANSWER = Told(0)


@pytest.fixture
def platform() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.fixture
def airy(platform: Server) -> Iterator[Airy]:
    with Airy(platform.url, token="secret", attempts=3) as client:
        yield client


def test_absent_arguments_are_not_sent(platform: Server, airy: Airy) -> None:
    platform.tell(Told(200))

    airy.tags.update(id=UUID(TAG["id"]), name="VIP")

    assert platform.asked[0].path == "/tags.update"
    assert platform.asked[0].body == {"id": TAG["id"], "name": "VIP"}
    assert platform.asked[0].headers["authorization"] == "Bearer secret"


def test_parts_of_arguments_are_sent_as_they_are(platform: Server, airy: Airy) -> None:
    platform.tell(Told(204))

    airy.metadata.upsert(subject="conversation", id=CONVERSATION, data={"a": None, "b": {"c": 1}})

    assert platform.asked[0].body["data"] == {"a": None, "b": {"c": 1}}


def test_an_answer_may_say_more_than_is_described(platform: Server, airy: Airy) -> None:
    platform.tell(Told(201, TAG | {"since": "later"}))

    assert airy.tags.create(name="VIP", color="tag-red").id == UUID(TAG["id"])


@pytest.mark.parametrize("failure", [NOT_NOW, NO_ANSWER, Told(429, None, {"retry-after": "0"})])
def test_a_command_that_is_tried_again_is_one_command(
    platform: Server, airy: Airy, failure: Told
) -> None:
    platform.tell(failure, failure, Told(204))

    airy.conversations.mark_read(conversation_id=CONVERSATION)

    keys = [asked.headers["idempotency-key"] for asked in platform.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]


def test_each_command_is_one_of_its_own(platform: Server, airy: Airy) -> None:
    platform.tell(Told(204), Told(204))

    airy.conversations.mark_read(conversation_id=CONVERSATION)
    airy.conversations.mark_read(conversation_id=CONVERSATION)

    first, second = (asked.headers["idempotency-key"] for asked in platform.asked)
    assert first != second


def test_the_caller_may_choose_the_key(platform: Server, airy: Airy) -> None:
    platform.tell(Told(204))

    airy.conversations.mark_read(conversation_id=CONVERSATION, idempotency_key="mine")

    assert platform.asked[0].headers["idempotency-key"] == "mine"


def test_a_file_that_is_sent_again_has_the_same_key(platform: Server, airy: Airy) -> None:
    url = "https://airy.example/media/a.txt"
    platform.tell(NOT_NOW, Told(200, {"media_url": url}))

    assert airy.media.upload(file=("a.txt", b"hello")).media_url == url
    first, second = platform.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert b"hello" in second.content


def test_questions_have_no_key_and_are_tried_again(platform: Server, airy: Airy) -> None:
    platform.tell(NO_ANSWER, Told(200, {"data": [TAG]}))

    assert [tag.name for tag in airy.tags.each()] == ["VIP"]
    assert "idempotency-key" not in platform.asked[1].headers


def test_the_number_of_tries_is_bounded(platform: Server, airy: Airy) -> None:
    platform.tell(NOT_NOW, NOT_NOW, NOT_NOW)

    with pytest.raises(AiryError, match="503: not now"):
        airy.tags.list()
    assert len(platform.asked) == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(Told(400, {"message": "name: is required"}), "name: is required", id="told"),
        pytest.param(Told(403), "Forbidden", id="without a body"),
        pytest.param(Told(500, ["?"]), "Internal Server Error", id="another body"),
    ],
)
def test_a_refusal_is_an_error_at_once(
    platform: Server, airy: Airy, answer: Told, message: str
) -> None:
    platform.tell(answer)

    with pytest.raises(AiryError) as raised:
        airy.tags.list()
    assert (raised.value.status, raised.value.message) == (answer.status, message)


def test_who_is_sent_away_for_long_is_told_at_once(platform: Server, airy: Airy) -> None:
    platform.tell(Told(429, {"message": "too many requests"}, {"retry-after": "3600"}))

    with pytest.raises(AiryError) as raised:
        airy.tags.list()
    assert raised.value.retry_after_s == 3600


def test_what_is_not_as_described_is_an_error(platform: Server, airy: Airy) -> None:
    platform.tell(Told(200, {"data": [{"id": 1}]}))

    with pytest.raises(AiryError, match="not what is described"):
        airy.tags.list()


def test_without_any_answer_there_is_no_status() -> None:
    with server() as gone:
        pass

    with Airy(gone.url, attempts=1) as airy, pytest.raises(AiryError) as raised:
        airy.tags.list()
    assert raised.value.status is None
    assert raised.value.message


def test_an_address_that_is_none_is_not_tried_again() -> None:
    with Airy("ftp://127.0.0.1") as airy, pytest.raises(AiryError, match="protocol"):
        airy.tags.list()


def test_errors_come_through_pickling_whole() -> None:
    error = pickle.loads(pickle.dumps(AiryError(429, "too many", 2.0)))

    assert (error.status, error.message, error.retry_after_s) == (429, "too many", 2.0)


def test_pages_are_fetched_when_they_are_come_to(platform: Server, airy: Airy) -> None:
    platform.tell(page("a", following="further"), page("b", following=None))
    messages = airy.messages.each(conversation_id=CONVERSATION, page_size=1)

    assert next(messages).content == "a"
    assert len(platform.asked) == 1
    assert [message.content for message in messages] == ["b"]
    assert platform.asked[1].body["cursor"] == "further"


def test_awaited_calls_do_the_same(platform: Server) -> None:
    platform.tell(NOT_NOW, Told(204), Told(200, {"data": [TAG]}))
    platform.tell(page("a", following="further"), page("b", following=None), Told(404))

    async def use() -> tuple[list[str], list[str], int | None]:
        async with AsyncAiry(platform.url) as airy:
            await airy.conversations.mark_read(conversation_id=CONVERSATION)
            names = [tag.name async for tag in airy.tags.each()]
            listed = airy.messages.each(conversation_id=CONVERSATION)
            contents = [message.content async for message in listed]
            try:
                await airy.conversations.info(conversation_id=CONVERSATION)
            except AiryError as error:
                return names, contents, error.status
            return names, contents, None

    assert asyncio.run(use()) == (["VIP"], ["a", "b"], 404)
    first, second = (asked.headers["idempotency-key"] for asked in platform.asked[:2])
    assert first == second


def page(content: str, *, following: str | None) -> Told:
    message = {
        "id": CONVERSATION,
        "content": content,
        "sent_at": "2025-11-21T08:00:00.000Z",
        "delivery_state": "delivered",
        "from_contact": True,
        "source": "google",
        "metadata": {},
        "sender": {"id": "ada", "name": None, "avatar_url": None},
    }
    pagination = {"previous_cursor": None, "next_cursor": following, "total": 2}
    return Told(200, {"data": [message], "pagination_data": pagination})
