"""Delivers webhooks as platforms do: signed, at least once, some late and some twice."""

import asyncio
from collections.abc import Mapping

from airy_ray.simulator.gates import Gates
from airy_ray.simulator.hooks import Hook
from airy_ray.simulator.http import HttpClient, Reply
from airy_ray.simulator.oracle import Oracle
from airy_ray.simulator.retries import Retries
from airy_ray.simulator.story import Delivery

_TIMEOUT_S = 5.0
"""How long Meta waits for an answer."""


class Postman:
    """Makes webhook requests and tells the oracle which of them were acknowledged.

    `hooks` are by source; more may be added while it works.
    """

    def __init__(
        self,
        http: HttpClient,
        retries: Retries,
        oracle: Oracle,
        gates: Gates,
        hooks: Mapping[str, Hook],
    ) -> None:
        self._http = http
        self._retries = retries
        self._oracle = oracle
        self._gates = gates
        self._hooks = hooks

    async def deliver(self, delivery: Delivery) -> bool:
        """Make a request until it is acknowledged; return whether it was."""
        await asyncio.sleep(delivery.delay_s)
        async with self._gates.passing(delivery.threads):
            self._oracle.send(delivery.written, delivery.reacted)
            posts = [self._post(delivery)]
            if delivery.repeat_after_s == 0:
                posts.append(self._post(delivery))
            replies = await asyncio.gather(*posts)
        return any(reply is not None for reply in replies)

    async def repeat(self, delivery: Delivery) -> None:
        """Make a request once more that was acknowledged before."""
        await self._post(delivery)

    async def _post(self, delivery: Delivery) -> Reply | None:
        path, headers = self._hooks[delivery.source](delivery.body)
        reply = await self._retries.until(
            lambda: self._http.post(path, delivery.body, headers, timeout_s=_TIMEOUT_S)
        )
        if reply is not None:
            self._oracle.acknowledge(delivery.written, delivery.reacted)
        return reply
