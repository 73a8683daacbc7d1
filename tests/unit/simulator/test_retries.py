import asyncio
from collections.abc import Iterable
from random import Random

import pytest

from airy_ray.simulator.http import NoReplyError, Reply
from airy_ray.simulator.retries import Retries


def until(
    answers: Iterable[int], *, give_up_s: float = 5, enough: int = 299
) -> tuple[Reply | None, Retries]:
    """Return what comes of an attempt that is answered like this; 0 is no answer."""
    coming = iter(answers)

    async def attempt() -> Reply:
        status = next(coming)
        if status == 0:
            raise NoReplyError
        return Reply(status, b"")

    async def run() -> tuple[Reply | None, Retries]:
        retries = Retries(Random(1), give_up_s=give_up_s, first_s=0.001, longest_s=0.002)
        reply = await retries.until(attempt, is_enough=lambda reply: reply.status <= enough)
        return reply, retries

    return asyncio.run(run())


@pytest.mark.parametrize("failure", [0, 403, 404, 500, 503], ids=str)
def test_a_request_is_repeated_until_it_is_taken(failure: int) -> None:
    reply, retries = until([failure, failure, 200])

    assert reply == Reply(200, b"")
    assert retries.answers.by_status == {failure: 2, 200: 1}
    assert (retries.answers.retries, len(retries.answers.acks)) == (2, 1)


def test_there_is_an_end_to_hope() -> None:
    reply, retries = until(iter(lambda: 503, None), give_up_s=0.02)

    assert reply is None
    assert retries.answers.given_up == 1


def test_a_refusal_can_be_enough_and_is_no_acknowledgement() -> None:
    reply, retries = until([503, 404], enough=500)

    assert reply == Reply(404, b"")
    assert retries.answers.acks == []
