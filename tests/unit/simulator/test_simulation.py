import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from airy_ray.clock import now_millis
from airy_ray.simulator.hooks import Secrets
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.report import Report
from airy_ray.simulator.simulation import Simulation, Target, run
from airy_ray.simulator.traffic import Shape, Traffic, cast
from tests.unit.simulator.small_platform import Faults, SmallPlatform, serving

OTHERS = (
    *("instagram", "whatsapp", "twilio.sms", "twilio.whatsapp", "viber", "telegram", "custom"),
)
SECRETS = Secrets("s", "k", "w", "t", "v")


def simulated(
    platform: SmallPlatform, others: Collection[str] = (), *, answers: float = 0, **shape: Any
) -> Report:
    async def simulate(url: str) -> Report:
        began_at = now_millis()
        named = cast(1, began_at, pages=2, app_id="4711", others=others)
        platforms = Platforms(named, SECRETS)
        platform.telegram = platforms.telegram
        platform.intakes = platforms.intakes(named, has_twilio=True)
        asked = {"rate": 400, "duration_s": 0.5, "conversations": 4, "duplicates": 0, "disorder": 0}
        traffic = Traffic(Shape(**asked | shape), named, seed=1, began_at=began_at)
        async with HttpClient(url, connections=8) as http:
            simulation = Simulation(
                http,
                Target(url, SECRETS, has_twilio=True),
                named,
                seed=1,
                give_up_s=5,
                platforms=platforms,
            )
            return await run(
                simulation,
                traffic.planned(),
                seed=1,
                reads_per_s=40,
                settle_s=0,
                answers_per_s=answers,
            )

    with serving(platform) as url:
        return asyncio.run(simulate(url))


def test_a_platform_without_faults_gets_a_clean_report() -> None:
    report = simulated(SmallPlatform(Faults()))

    assert report.verdict.examples == []
    assert report.is_clean
    assert report.began == 200
    assert report.reads > 3
    assert report.verdict.found == report.verdict.acknowledged > 200


def test_all_sources_are_played_and_found_again() -> None:
    platform = SmallPlatform(Faults())
    shape = {"duration_s": 1.0, "duplicates": 0.2, "batches": 0.5}
    report = simulated(platform, OTHERS, answers=40, **shape)

    assert report.verdict.examples == []
    assert report.answers > 5
    assert report.is_clean
    hooks = {"facebook", "google", "whatsapp", "twilio", "viber", "telegram", "custom"}
    assert platform.posts.keys() == hooks
    assert report.verdict.found == report.verdict.acknowledged > 300


def test_what_is_refused_comes_again_until_it_is_taken() -> None:
    report = simulated(SmallPlatform(Faults(refused=10)))

    assert report.is_clean
    assert report.doors["webhooks"].retries >= 10
    assert report.doors["webhooks"].attempts["503"] == 10


def test_some_requests_are_made_twice() -> None:
    platform = SmallPlatform(Faults())

    report = simulated(platform, duplicates=0.3)

    assert report.is_clean
    assert report.doors["webhooks"].acknowledged == platform.posts.total()
    assert report.doors["webhooks"].acknowledged + report.doors["chatplugin"].acknowledged > 220


@pytest.mark.parametrize(
    ("faults", "wrong"),
    [
        pytest.param(Faults(loses_one=True), "missing", id="loses a message"),
        pytest.param(Faults(doubles_one=True), "twice", id="stores a message twice"),
        pytest.param(Faults(forgets_reads=True), "unread count", id="forgets reads"),
    ],
)
def test_a_fault_of_the_platform_is_found_out(faults: Faults, wrong: str) -> None:
    report = simulated(SmallPlatform(faults))

    assert report.verdict.wrong[wrong] > 0
    assert not report.is_clean


@pytest.mark.parametrize(
    ("faults", "wrong"),
    [
        pytest.param(Faults(doubles_answers=True), "twice", id="sends a message twice"),
        pytest.param(Faults(keeps_answers=True), "not delivered", id="sends nothing"),
    ],
)
def test_what_is_not_sent_once_is_found_out(faults: Faults, wrong: str) -> None:
    report = simulated(SmallPlatform(faults), answers=40)

    assert report.answers > 0
    assert report.verdict.wrong[wrong] >= report.answers


def test_a_report_for_programs_tells_what_the_table_tells() -> None:
    report = simulated(SmallPlatform(Faults(loses_one=True)))

    assert report.as_json()["wrong"]["missing"] == 1
    assert ("wrong: missing", 1) in report.rows()
    assert report.as_json()["is_clean"] is False
