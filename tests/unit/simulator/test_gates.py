import asyncio

from airy_ray.simulator.gates import Gates
from airy_ray.simulator.story import Thread

ANN, BOB = Thread("facebook", "page", "ann"), Thread("facebook", "page", "bob")


def test_a_conversation_is_quiet_once_all_that_was_on_its_way_has_arrived() -> None:
    async def run() -> tuple[bool, bool]:
        gates = Gates()
        arrived = asyncio.Event()

        async def travel() -> None:
            async with gates.passing([ANN, BOB]):
                await arrived.wait()

        travelling = asyncio.create_task(travel())
        await asyncio.sleep(0)
        async with gates.quiet(ANN, timeout_s=0.01) as is_quiet_before:
            pass
        arrived.set()
        async with gates.quiet(ANN, timeout_s=5) as is_quiet_after:
            pass
        await travelling
        return is_quiet_before, is_quiet_after

    assert asyncio.run(run()) == (False, True)


def test_nothing_enters_a_conversation_that_is_held_and_others_stay_open() -> None:
    async def run() -> list[str]:
        gates = Gates()
        happened = []

        async def travel(thread: Thread) -> None:
            async with gates.passing([thread]):
                happened.append(thread.contact)

        async with gates.quiet(ANN, timeout_s=1):
            anns = asyncio.create_task(travel(ANN))
            await travel(BOB)
            happened.append("released")
        await anns
        return happened

    assert asyncio.run(run()) == ["bob", "released", "ann"]
