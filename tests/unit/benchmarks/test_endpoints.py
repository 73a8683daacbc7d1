"""What is said of what endpoints took."""

import pytest

from benchmarks.endpoints import Happened, Verdict, judged
from benchmarks.receivers import Taken

FEED = {
    "e1": Happened("google", "ada", "m1", 10),
    "e2": Happened("google", "ada", "m2", 20),
    "e3": Happened("google", "bob", "m3", 15),
    "e4": Happened("facebook", "eve", "m4", 1),
}
GOOGLES = {name: each for name, each in FEED.items() if each.source == "google"}


def took(*names: str) -> list[Taken]:
    return [Taken("A", name, FEED[name].conversation, FEED[name].message) for name in names]


def verdict(taken: list[Taken]) -> Verdict:
    return judged(taken, {"A": "google"}, FEED)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        pytest.param(took("e1", "e2", "e3"), Verdict(taken=3), id="all, once"),
        pytest.param(took("e3", "e1", "e2"), Verdict(taken=3), id="conversations in any order"),
        pytest.param(
            took("e1", "e2", "e1", "e2", "e3"), Verdict(taken=5, repeated=2), id="from anew"
        ),
        pytest.param(took("e1", "e3"), Verdict(taken=2, missing=1), id="one missing"),
        pytest.param([], Verdict(missing=3), id="nothing"),
        pytest.param(took("e2", "e1", "e3"), Verdict(taken=3, out_of_order=1), id="out of order"),
        pytest.param(
            took("e1", "e2", "e3", "e4"), Verdict(taken=4, foreign=1), id="of another source"
        ),
        pytest.param(
            [*took("e1", "e2", "e3"), Taken("A", "e9", "ada", "m1")],
            Verdict(taken=4, foreign=1, renamed=1),
            id="again under another id",
        ),
        pytest.param(
            [Taken("A", "e1", "ada", "m2"), *took("e2", "e3")],
            Verdict(taken=3, foreign=1, renamed=1),
            id="another message under the id",
        ),
    ],
)
def test_what_was_taken_is_compared_with_what_happened(
    taken: list[Taken], expected: Verdict
) -> None:
    assert verdict(taken) == expected


def test_each_endpoint_is_to_take_all() -> None:
    both = judged(took(*GOOGLES), {"A": "google", "B": "google"}, FEED)

    assert both == Verdict(taken=3, missing=3)
