"""Following feeds: who follows one can be told to stop at any moment."""

import asyncio
import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from airy_ray.cluster import feeds
from airy_ray.cluster.doorbell import Applied, Ringer
from airy_ray.cluster.feeds import Feeds
from airy_ray.model.ids import PartitionIndex
from tests.log_builders import spec

NEWS = msgspec.msgpack.encode(Applied(PartitionIndex(0), 1))
STOPPED_S = 5.0
LONG_S = 30.0


@pytest.mark.parametrize("turns", range(6))
def test_who_is_told_of_news_just_when_cancelled_stops(tmp_path: Path, turns: int) -> None:
    """`turns` of the event loop lie between the news and the cancellation."""

    async def main() -> bool:
        with (
            closing(Feeds([spec(tmp_path)], {}, tmp_path)) as followed,
            closing(Ringer(tmp_path)) as ringer,
        ):
            following = asyncio.create_task(_follow(followed))
            await asyncio.sleep(0.01)  # it waits for news
            ringer.ring(f"f-{os.getpid()}", NEWS)
            for _ in range(turns):
                await asyncio.sleep(0)
            following.cancel()
            await asyncio.wait([following], timeout=STOPPED_S)
            return following.cancelled()

    assert asyncio.run(main())


async def _follow(followed: Feeds) -> None:
    async for _ in followed.written(PartitionIndex(0), "sends"):
        pass


def test_each_who_follows_is_told_though_another_has_heard_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is busy with the news before hears of the next all the same."""
    monkeypatch.setattr(feeds, "_LOOK_S", 10 * LONG_S)

    async def main() -> None:
        with (
            closing(Feeds([spec(tmp_path)], {}, tmp_path)) as followed,
            closing(Ringer(tmp_path)) as ringer,
        ):
            tables = ("sends", "numbers")
            busy, quick = (followed.written(PartitionIndex(0), table) for table in tables)
            ringer.ring(f"f-{os.getpid()}", NEWS)
            await asyncio.gather(anext(busy), anext(quick))
            ringer.ring(f"f-{os.getpid()}", NEWS)
            async with asyncio.timeout(LONG_S):
                await anext(quick)
                await anext(busy)

    asyncio.run(main())
