from dataclasses import replace
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.simulator.answers import Answer, Answers
from airy_ray.simulator.intake import Intake
from airy_ray.simulator.oracle import FoundConversation, FoundMessage, Verdict
from airy_ray.simulator.story import Thread

ANN = Thread("facebook", "page", "ann")
OURS = FoundMessage("id", "m_1", Millis(1), False, {"text": "answer r-0"})
THEIRS = FoundMessage("id", "m_2", Millis(1), True, {"text": "Hi"})
ACKNOWLEDGED = Answer(ANN, "c1", is_certain=True)
UNCERTAIN = replace(OURS, state="failed", error="delivery uncertain: it was interrupted")


def judged(
    shown: list[FoundMessage],
    taken: list[int],
    *sent: Answer,
    place: str = "c1",
) -> tuple[Verdict, Any]:
    answers, intake, verdict = Answers("r"), Intake(), Verdict()
    for number, answer in enumerate(sent or [ACKNOWLEDGED]):
        answers.note(number, answer)
    for number in taken:
        intake.take("page", "ann", {"text": answers.words(number)}, "m_1")
    left = answers.set_apart([FoundConversation(place, 0, (THEIRS, *shown))])
    answers.judge({"facebook": intake}, verdict)
    return verdict, left


def test_an_answer_that_is_shown_and_taken_once_is_right_and_set_apart() -> None:
    verdict, [left] = judged([OURS], [0])

    assert verdict.is_clean
    assert left.messages == (THEIRS,)


@pytest.mark.parametrize(
    ("shown", "taken", "wrong"),
    [
        pytest.param([], [], "missing", id="not shown"),
        pytest.param([OURS, OURS], [0], "twice", id="shown twice"),
        pytest.param([OURS], [0, 0], "twice", id="taken twice"),
        pytest.param([OURS], [], "not delivered", id="not taken"),
        pytest.param([replace(OURS, state="pending")], [], "not delivered", id="still pending"),
        pytest.param(
            [replace(OURS, state="failed", error="refused")], [], "not delivered", id="failed"
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_found_out(
    shown: list[FoundMessage], taken: list[int], wrong: str
) -> None:
    verdict, _ = judged(shown, taken)

    assert verdict.wrong[wrong] > 0


@pytest.mark.parametrize("taken", [[], [0]])
def test_one_of_which_nobody_heard_may_have_been_taken_or_not(taken: list[int]) -> None:
    assert judged([UNCERTAIN], taken)[0].is_clean


def test_one_that_was_not_acknowledged_may_not_be_there() -> None:
    assert judged([], [], replace(ACKNOWLEDGED, is_certain=False))[0].is_clean


def test_an_answer_in_another_conversation_is_misplaced() -> None:
    assert judged([OURS], [0], place="c2")[0].wrong == {"misplaced": 1}


def test_answers_that_are_taken_in_another_order_are_found_out() -> None:
    second = replace(OURS, content={"text": "answer r-1"})
    sent = ACKNOWLEDGED, ACKNOWLEDGED

    assert judged([OURS, second], [0, 1], *sent)[0].is_clean
    assert judged([OURS, second], [1, 0], *sent)[0].wrong == {"out of order": 1}
