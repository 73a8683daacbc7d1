"""Files that do not come: tried again some times, later and later, and then given up."""

import asyncio
from pathlib import Path

import pytest

from airy_ray.cluster import fetching
from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.applied_waiters import AppliedWaiters
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.shared_hops import SharedHops
from airy_ray.cluster.thread_appender import ThreadAppender
from airy_ray.model.ids import REGISTRY
from tests.files_server import files_server
from tests.unit.cluster.couriers import until_done
from tests.unit.cluster.test_delivering import working
from tests.unit.cluster.test_fetching import Shop
from tests.unit.cluster.test_owner import LONG_S


async def _fetch_until_told(shop: Shop, spec: FetchingSpec, name: str) -> None:
    specs = [shop.post.own, shop.post.registry]
    run_directory = shop.post.own.directory.parent
    appender = ThreadAppender(specs, run_directory)
    waiters = AppliedWaiters(run_directory)
    accesses = {
        each.index: LocalAccess(each, appender, waiters, SharedHops(), run_directory)
        for each in specs
    }
    registry = Registry(accesses[REGISTRY].reader)
    running = asyncio.create_task(fetching.fetch(spec, accesses, appender, registry))
    async with asyncio.timeout(LONG_S):
        await until_done(lambda: bool(shop.told(name)))
    running.cancel()
    await asyncio.wait([running])
    for each in accesses.values():
        each.close()
    waiters.close()
    appender.close()


def test_a_file_that_never_comes_is_given_up_after_the_last_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = (0.0, 0.0, 0.0)
    monkeypatch.setattr(fetching, "_WAITS_S", waits)
    store = StoreSpec(str(tmp_path / "media"), None, {}, None, str(tmp_path / "unlinked"))
    spec = FetchingSpec(store, str(tmp_path), "", 1 << 20, allow_private_networks=True)
    with files_server() as files, working(tmp_path) as post:
        files.failures["/a.png"] = 100
        shop = Shop(tmp_path, post, files)
        shop.receive("m-1", f"{files.url}/a.png")
        asyncio.run(_fetch_until_told(shop, spec, "m-1"))
        told = shop.told("m-1")
        shop.close()

    assert told == {f"data_{files.url}/a.png": {"error": "answered with 503"}}
    assert len(files.asked) == len(waits) + 1


def test_it_is_tried_for_most_of_an_hour_ever_more_seldom() -> None:
    assert list(fetching._WAITS_S) == sorted(fetching._WAITS_S)
    assert 2_400 < sum(fetching._WAITS_S) < 3_600
