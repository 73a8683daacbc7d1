"""How far a consumer is in a feed is kept, at once the first time, and seldom after that."""

import asyncio
from pathlib import Path

import pytest

from airy_ray.cluster import feed_places
from airy_ray.cluster.feed_places import FeedPlace, forget_others
from airy_ray.errors import DiskFullError


def kept(directory: Path, consumer: str, *places: int, every_s: float = 0.0) -> int | None:
    """Keep some places, one after the other; return what is on disk then."""

    async def main() -> None:
        at = FeedPlace(directory, consumer, every_s=every_s)
        for place in places:
            await at.keep(place)

    asyncio.run(main())
    return FeedPlace(directory, consumer, every_s=every_s).place


def test_the_place_of_a_consumer_is_kept_until_it_is_not_wanted(tmp_path: Path) -> None:
    assert kept(tmp_path, "bot-rasa", 7, 1 << 40) == 1 << 40
    assert kept(tmp_path, "bot-openai", 8) == 8
    assert kept(tmp_path, "files", 9) == 9
    forget_others(tmp_path, "bot-", ["bot-rasa"])

    assert kept(tmp_path, "bot-rasa") == 1 << 40
    assert kept(tmp_path, "bot-openai") is None
    assert {each.name for each in tmp_path.iterdir()} == {"bot-rasa.place", "files.place"}


def test_it_is_written_seldom(tmp_path: Path) -> None:
    assert kept(tmp_path, "files", 7, 8, 9, every_s=3_600) == 7


@pytest.mark.parametrize("content", [b"", b"no number", b"\xff"])
def test_a_place_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "files.place").write_bytes(content)

    assert kept(tmp_path, "files") is None


def test_without_space_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: bytes) -> None:
        raise DiskFullError(str(path))

    with monkeypatch.context() as patched:
        patched.setattr(feed_places, "write_synced", full)
        assert kept(tmp_path, "files", 7) is None
    assert kept(tmp_path, "files", 8) == 8
