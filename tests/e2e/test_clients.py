"""The typed clients: all that the API does, through them."""

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from airy_ray_client import Airy, AiryError, AsyncAiry
from airy_ray_client.models import Channel, Conversation
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.javascript import npm
from tests.e2e.program import Running


@pytest.fixture(scope="module")
def airy(platform: Running) -> Iterator[Airy]:
    with Airy(platform.url) as client:
        yield client


@pytest.fixture(scope="module")
def website(airy: Airy) -> Channel:
    return airy.channels.chatplugin.connect(name="A website")


def write(airy: Airy, platform: Running, website: Channel, *texts: str) -> UUID:
    """Have a new visitor write; return the conversation, which is the newest then."""
    entered = airy.chatplugin.authenticate(channel_id=website.id)
    with Airy(platform.url, token=entered.token) as visitor:
        for text in texts:
            written = visitor.chatplugin.send(message={"text": text})
            assert written.from_contact
    newest: Conversation = next(airy.conversations.each(page_size=1))
    assert newest.last_message.content == {"text": texts[-1]}
    return newest.id


def test_channels_are_connected_renamed_and_disconnected(airy: Airy) -> None:
    channel = airy.channels.google.connect(gbm_id=f"agent-{uuid4()}", name="An agent")
    airy.channels.update(channel_id=channel.id, name="The agent")

    assert channel in [
        each.model_copy(update={"metadata": channel.metadata}) for each in listed(airy)
    ]
    assert airy.channels.info(channel_id=channel.id).metadata == {"name": "The agent"}
    airy.channels.google.disconnect(channel_id=channel.id)
    assert channel.id not in [each.id for each in listed(airy)]


def listed(airy: Airy) -> list[Channel]:
    return list(airy.channels.each(source="google"))


def test_a_visitor_comes_back_to_what_was_written(
    airy: Airy, platform: Running, website: Channel
) -> None:
    entered = airy.chatplugin.authenticate(channel_id=str(website.id))
    with Airy(platform.url, token=entered.token) as visitor:
        visitor.chatplugin.send(message={"text": "Hi"})
        token = visitor.chatplugin.resume_token().resume_token

    again = airy.chatplugin.authenticate(resume_token=token)

    assert [message.content for message in again.messages] == [{"text": "Hi"}]


def test_conversations_are_answered_tagged_described_and_read(
    airy: Airy, platform: Running, website: Channel
) -> None:
    identifier = write(airy, platform, website, "Hi")
    tag = airy.tags.create(name="VIP", color="tag-red")

    airy.conversations.tag(conversation_id=identifier, tag_id=tag.id)
    airy.conversations.set_state(conversation_id=identifier, state="CLOSED")
    airy.conversations.update_contact(conversation_id=identifier, display_name="Ada")
    airy.conversations.mark_read(conversation_id=identifier)
    airy.metadata.upsert(subject="conversation", id=identifier, data={"vip": True})
    sent = airy.messages.send(conversation_id=identifier, message={"text": "Hello"})
    suggested = airy.messages.suggest_replies(
        message_id=sent.id, suggestions={"a": {"content": "Yes"}}
    )

    found = airy.conversations.info(conversation_id=identifier)
    assert suggested.id == sent.id
    assert found.channel is not None
    assert found.channel.id == website.id
    assert found.last_message.id == sent.id
    assert found.metadata["contact"]["display_name"] == "Ada"
    assert found.metadata["state"] == "CLOSED"
    assert found.metadata["unread_count"] == 0
    assert list(found.metadata["tags"]) == [str(tag.id)]
    assert found.metadata["user_data"] == {"vip": True}


def test_what_was_put_to_a_conversation_is_taken_away(
    airy: Airy, platform: Running, website: Channel
) -> None:
    identifier = write(airy, platform, website, "Hi")
    tag = airy.tags.create(name="Lead", color="tag-blue")
    airy.conversations.tag(conversation_id=identifier, tag_id=tag.id)
    airy.conversations.set_state(conversation_id=identifier, state="CLOSED")

    airy.conversations.untag(conversation_id=identifier, tag_id=tag.id)
    airy.conversations.remove_state(conversation_id=identifier)

    metadata = airy.conversations.info(conversation_id=identifier).metadata
    assert not metadata.get("tags")
    assert "state" not in metadata


def test_tags_are_listed_changed_and_deleted(airy: Airy) -> None:
    tag = airy.tags.create(name="New", color="tag-green")
    airy.tags.update(id=tag.id, name="Old", color="tag-purple")

    assert ("Old", "tag-purple") in [(each.name, each.color) for each in airy.tags.each()]
    airy.tags.delete(id=tag.id)
    assert tag.id not in [each.id for each in airy.tags.each()]


def test_templates_are_made_found_changed_and_deleted(airy: Airy) -> None:
    made = airy.templates.create(name="Greeting", source="google", content={"text": "Hi"})
    airy.templates.update(id=made.id, content={"text": "Hello"})

    (found,) = airy.templates.each(source="google", name="Greet")
    assert found.id == made.id
    assert airy.templates.info(id=made.id).content == {"text": "Hello"}
    airy.templates.delete(id=made.id)
    with pytest.raises(AiryError) as raised:
        airy.templates.info(id=made.id)
    assert raised.value.status == 404


def test_lists_are_gone_through_page_by_page(
    airy: Airy, platform: Running, website: Channel
) -> None:
    texts = [str(number) for number in range(5)]
    conversation_id = write(airy, platform, website, *texts)
    others = [write(airy, platform, website, "Hi") for _ in range(2)]

    messages = airy.messages.each(conversation_id=conversation_id, page_size=2)
    newest = airy.conversations.each(page_size=1)

    assert [message.content["text"] for message in messages] == texts[::-1]
    assert [next(newest).id for _ in range(3)] == [*others[::-1], conversation_id]


def test_the_same_key_is_the_same_command(airy: Airy) -> None:
    key = str(uuid4())

    first = airy.tags.create(name="Once", color="tag-red", idempotency_key=key)
    second = airy.tags.create(name="Once", color="tag-red", idempotency_key=key)

    assert first == second


def test_wrong_input_is_told(airy: Airy) -> None:
    with pytest.raises(AiryError) as raised:
        airy.conversations.info(conversation_id="not an id")

    assert raised.value.status == 400
    assert raised.value.message.startswith("conversation_id: ")


def test_the_platform_tells_what_runs(airy: Airy) -> None:
    config = airy.client.config()

    assert config.services["api-communication"].healthy
    assert set(config.tag_config.colors) == {"tag-blue", "tag-red", "tag-green", "tag-purple"}


def test_answers_are_awaited(platform: Running, website: Channel) -> None:
    async def use() -> list[UUID]:
        async with AsyncAiry(platform.url) as airy:
            sent = [airy.tags.create(name=f"Tag {number}", color="tag-red") for number in range(4)]
            made = [tag.id for tag in await asyncio.gather(*sent)]
            found = [tag.id async for tag in airy.tags.each()]
            conversations = [each async for each in airy.conversations.each(page_size=2)]
            assert len(conversations) == (await airy.conversations.list()).pagination_data.total
            return [identifier for identifier in made if identifier in found]

    assert len(asyncio.run(use())) == 4


def test_a_token_lets_in(guarded: Running) -> None:
    with Airy(guarded.url, token=SYSTEM_TOKEN) as known, Airy(guarded.url) as unknown:
        connected = known.channels.chatplugin.connect(name="Shop")
        assert connected in known.channels.list().data
        with pytest.raises(AiryError) as raised:
            unknown.channels.list()
    assert raised.value.status == 403


def test_the_typescript_client_passes_its_own_tests(platform: Running) -> None:
    shown = npm("test", AIRY_URL=platform.url)

    assert "skipped" not in shown
