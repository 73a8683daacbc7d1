"""Messages that may have files, found in the change feed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.model.ids import MessageId, message_id
from airy_ray.partition.fold import encode_event
from airy_ray.partition.partition import Partition
from airy_ray.rawlog.record import Record
from airy_ray.state.file_news import FileNews, file_news
from airy_ray.state.queries import reading
from tests import builders
from tests.log_builders import NOW, append, messenger_item, owned, settle, spec, webhook

LINK = "https://cdn.example.org/a.png"


def picture(name: str) -> Record:
    body = messenger_item(name, builders.ADA, at=NOW).replace(f"text of {name}".encode(), b"%b")
    return builders.record(body % LINK.encode(), routes=(builders.route(),))


def named(name: str) -> MessageId:
    return message_id(builders.conversation_id(), name)


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """Two messages with links among others."""
    own = spec(tmp_path)
    append(own.directory, [webhook("m1"), picture("m2"), webhook("m3"), picture("m4")])
    with owned(own) as opened:
        settle(opened)
        yield opened


def news(partition: Partition, place: int, limit: int = 1_000) -> FileNews:
    with reading(partition.state.environment) as view:
        return file_news(view, place, limit)


def test_messages_with_links_are_told_and_no_others(partition: Partition) -> None:
    found = news(partition, 0)

    assert [message for _, message in found.messages] == [named("m2"), named("m4")]
    assert (found.has_more, found.is_whole) == (False, True)


def test_every_message_of_the_past_is_told(tmp_path: Path) -> None:
    """The feed does not tell what these say."""
    own = spec(tmp_path)
    told = encode_event(builders.message_recalled("m1"))
    append(own.directory, [builders.record(told, kind="outcome"), webhook("m2")])
    with owned(own) as opened:
        settle(opened)

        assert [message for _, message in news(opened, 0).messages] == [named("m1")]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_any_size_tell_the_same(limit: int, partition: Partition) -> None:
    found, page = [], news(partition, 0, limit)
    while page.has_more:
        found += page.messages
        page = news(partition, page.place, limit)

    assert found + page.messages == news(partition, 0).messages


def test_who_reads_on_from_a_place_hears_what_comes_then(partition: Partition) -> None:
    place = news(partition, 0).place
    assert news(partition, place) == FileNews([], place, has_more=False, is_whole=True)
    append(partition.spec.directory, [picture("m5")])
    settle(partition)

    assert [message for _, message in news(partition, place).messages] == [named("m5")]


def test_who_begins_anew_at_a_message_hears_of_it_again(partition: Partition) -> None:
    [_, (sequence, last)] = news(partition, 0).messages

    assert news(partition, sequence).messages == [(sequence, last)]
