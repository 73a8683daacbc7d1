"""How much one caller may ask in a minute."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from airy_ray.serve.api.callers import ANYBODY, Grant
from airy_ray.serve.api.rate_limits import Quota, RateLimits

TOKEN = Grant("token:crm", "token")


def spent(limits: RateLimits, grants: Sequence[Grant]) -> list[Quota | None]:
    async def spend() -> list[Quota | None]:
        return [await limits.spend(grant) for grant in grants]

    return asyncio.run(spend())


def test_what_is_over_the_limit_is_refused_and_told_when_to_come_back() -> None:
    quotas = spent(RateLimits(2), [TOKEN] * 3)
    told = [(each.limit, each.remaining, each.is_exceeded) for each in quotas if each is not None]
    last = quotas[-1]

    assert told == [(2, 1, False), (2, 0, False), (2, 0, True)]
    assert last is not None
    assert 1 <= last.reset_s <= 60
    assert dict(last.headers) == {
        b"ratelimit-limit": b"2",
        b"ratelimit-remaining": b"0",
        b"ratelimit-reset": b"%d" % last.reset_s,
        b"retry-after": b"%d" % last.reset_s,
    }


def test_callers_are_counted_apart() -> None:
    quotas = spent(RateLimits(1), [TOKEN, replace(TOKEN, principal="token:other")])

    assert [each is not None and each.is_exceeded for each in quotas] == [False, False]


@pytest.mark.parametrize("default", [None, 1])
def test_a_token_may_have_a_limit_of_its_own(default: int | None) -> None:
    [quota] = spent(RateLimits(default), [replace(TOKEN, requests_per_minute=5)])

    assert quota is not None
    assert (quota.limit, quota.remaining) == (5, 4)


@pytest.mark.parametrize("grant", [ANYBODY, Grant("system-token-abcd", "system")])
def test_neither_the_system_token_nor_anybody_without_authentication_is_limited(
    grant: Grant,
) -> None:
    assert spent(RateLimits(1), [grant]) == [None]


def test_without_a_limit_nothing_is_counted() -> None:
    assert spent(RateLimits(None), [TOKEN]) == [None]
