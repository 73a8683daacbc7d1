"""How often a source is asked for a contact, and how far apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.delivery import profiling
from airy_ray.model.channel import Channel
from airy_ray.projections.view import WantedProfile
from airy_ray.sources.sending import Later
from tests import builders
from tests.builders import NOW

BUSY = Later("busy")


def wanted(tries: int) -> WantedProfile:
    return WantedProfile(builders.place(), NOW, NOW, tries)


def test_it_is_asked_five_times_over_hours() -> None:
    waits = [profiling.due_again(wanted(tries), BUSY, NOW, 0.0) for tries in range(5)]

    assert [None if each is None else (each - NOW) // 1_000 for each in waits] == [
        60,
        300,
        1_800,
        7_200,
        None,
    ]
    assert [profiling.is_last(wanted(tries)) for tries in range(6)] == [False] * 4 + [True] * 2


@given(st.integers(0, 3), st.floats(0, 1, exclude_max=True))
def test_chance_keeps_contacts_apart(tries: int, chance: float) -> None:
    soonest = profiling.due_again(wanted(tries), BUSY, NOW, 0.0)
    due = profiling.due_again(wanted(tries), BUSY, NOW, chance)

    assert soonest is not None
    assert due is not None
    assert soonest <= due <= NOW + (soonest - NOW) * 3 // 2


def test_what_a_platform_asks_for_is_waited_for() -> None:
    told = Later("busy", after_s=600.0)
    assert profiling.due_again(wanted(0), told, NOW, 0.9) == Millis(NOW + 600_000)


@pytest.mark.parametrize(
    ("channel", "with_token", "without"),
    [
        pytest.param(builders.channel(token="EAA"), True, True, id="connected"),
        pytest.param(builders.channel(token=None), False, True, id="without a token"),
        pytest.param(builders.channel(token="EAA", connected=False), False, False, id="left"),
        pytest.param(
            builders.channel(token="EAA", metadata=b'{"token":{"error":"expired"}}'),
            False,
            True,
            id="with a token that has ended",
        ),
        pytest.param(
            builders.channel(token="EAA", metadata=b'{"token":"a note"}'), True, True, id="noted"
        ),
        pytest.param(None, False, False, id="unknown"),
    ],
)
def test_contacts_of_channels_with_a_good_token_are_asked_for(
    channel: Channel | None, with_token: bool, without: bool
) -> None:
    assert profiling.may_ask(channel, needs_token=True) == with_token
    assert profiling.may_ask(channel, needs_token=False) == without
