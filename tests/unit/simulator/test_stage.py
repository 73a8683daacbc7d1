"""Who follows the screens gets every change once, or is told to begin anew."""

import asyncio

import pytest

from airy_ray.clock import Millis
from airy_ray.simulator.screens import Part
from airy_ray.simulator.stage import Bubble, Shown, Stage, State

NAME = "a-run"
Change = tuple[int, State]


def bubble(number: int, state: State) -> Bubble:
    parts = (Part("text", f"words {number}"),)
    return Bubble(number, "ada", f"m{number}", Millis(0), True, parts, state)


def staged(*states: Change, kept_max: int = 10) -> Stage:
    made = Stage(NAME, kept_max=kept_max)
    for number, state in states:
        made.put(bubble(number, state))
    return made


def got(shown: list[Shown]) -> list[object]:
    """Return numbers and states, `anew` where that was told."""
    return [
        "anew" if each.bubble is None else (each.bubble.number, each.bubble.state) for each in shown
    ]


def followed(*states: Change, after: str | None, kept_max: int = 10) -> list[Shown]:
    """Return all that there is to get after a position; who waits for more is let go."""

    async def follow() -> list[Shown]:
        shown: list[Shown] = []
        stage = staged(*states, kept_max=kept_max)
        async for each in stage.follow(after, wait_s=0):
            if not each:
                return shown
            shown += each
        raise AssertionError("nobody has closed the stage")

    return asyncio.run(follow())


def test_who_comes_first_is_shown_everything_as_it_is_now() -> None:
    shown = followed((1, "sending"), (2, "sending"), (1, "sent"), after=None)

    assert got(shown) == ["anew", (2, "sending"), (1, "sent")]


@pytest.mark.parametrize("got_before", [1, 2, 3, 4])
def test_who_comes_back_gets_what_came_after_and_nothing_twice(got_before: int) -> None:
    changes: tuple[Change, ...] = ((1, "sending"), (2, "sending"), (3, "arrived"), (1, "sent"))
    _, *shown = followed(*changes, after=None)

    assert followed(*changes, after=f"{NAME}.{got_before}") == [
        each for each in shown if int(each.position.rpartition(".")[2]) > got_before
    ]


@pytest.mark.parametrize(
    "position",
    ["another.2", f"{NAME}.9", f"{NAME}.", f"{NAME}.-1", f"{NAME}.²", "x", f"{NAME}.{'9' * 5_000}"],
)
def test_a_position_of_another_stage_or_none_begins_anew(position: str) -> None:
    assert got(followed((1, "sent"), after=position)) == ["anew", (1, "sent")]


def test_who_misses_what_is_kept_no_more_begins_anew() -> None:
    sent: list[Change] = [(number, "sent") for number in range(1, 5)]

    assert got(followed(*sent, after=f"{NAME}.1", kept_max=2)) == ["anew", *sent[2:]]
    assert got(followed(*sent, after=f"{NAME}.2", kept_max=2)) == sent[2:]


def test_what_changes_meanwhile_is_told_and_closing_ends_it() -> None:
    async def follow() -> list[object]:
        following = staged((1, "sending"))
        told = following.follow(f"{NAME}.1", wait_s=60)
        waiting = asyncio.ensure_future(anext(told))
        await asyncio.sleep(0)
        following.put(bubble(1, "sent"))
        first = got(await waiting)
        ending = asyncio.ensure_future(anext(told, None))
        await asyncio.sleep(0)
        following.close()
        return [*first, await ending]

    assert asyncio.run(follow()) == [(1, "sent"), None]
