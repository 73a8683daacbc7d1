"""The publisher: calls webhooks when something happens. It runs in the courier's process.

1. While there is no webhook it looks at the registry once a second, and does nothing else.
2. Each webhook has a caller of its own, so that one that is down holds up no other.
3. What callers know is written in batches, each in one transaction (`webhook_backlog`).
4. If anything breaks it begins anew from what was written: nothing is lost, and what is sent twice
   has the same id twice.
"""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from airy_ray.clock import now_micros, now_millis
from airy_ray.cluster.access import Appends, LocalAccess
from airy_ray.cluster.feeds import Feeds
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.webhook_answers import Answers
from airy_ray.cluster.webhook_backlog import TABLES, Backlog, began_scopes, scope_of
from airy_ray.cluster.webhook_caller import Disable, WebhookCaller
from airy_ray.cluster.webhook_calls import WebhookCalls
from airy_ray.cluster.webhook_orders import Orders
from airy_ray.cluster.webhook_reading import named
from airy_ray.cluster.webhook_spec import CallingSpec
from airy_ray.errors import AiryError, DamagedError, DiskFullError, StateError
from airy_ray.model.commands import DisableWebhook
from airy_ray.model.ids import REGISTRY, PartitionIndex, Slot, command_id, format_id
from airy_ray.model.webhook import Webhook
from airy_ray.storage.shelf import Shelf

logger = logging.getLogger(__name__)

PRINCIPAL = "publisher"
"""Who unsubscribes webhooks that nobody answers for, in the audit log."""
_SAVE_S = 0.1
_AGAIN_S = 1.0
_STOP_S = 3.0
"""How long calls that are under way may take in the end; who is called then is called again."""


class Publisher:
    """Calls all webhooks of the platform; used in one event loop."""

    def __init__(
        self,
        accesses: Mapping[PartitionIndex, LocalAccess],
        appender: Appends,
        registry: Registry,
        feeds: Feeds,
        spec: CallingSpec,
    ) -> None:
        self._accesses = accesses
        self._partitions = OwnPartitions(accesses, appender)
        self._registry = registry
        self._feeds = feeds
        self._spec = spec

    async def run(self) -> None:
        """Call until cancelled, beginning anew whenever something breaks."""
        await self._partitions.applied(REGISTRY)
        while True:
            try:
                await self._publish()
            except* Exception as errors:  # whatever it is, messages to sources must not stand still
                logger.error("webhooks are called anew", exc_info=errors)
            await asyncio.sleep(_AGAIN_S)

    async def _publish(self) -> None:
        async for _ in self._feeds.written(REGISTRY, "webhooks"):
            with suppress(StateError, DamagedError):
                if self._registry.webhooks():
                    break
        shelf = _opened(Path(self._spec.directory))
        calls = WebhookCalls(allow_private_networks=self._spec.allow_private_networks)
        answers = Answers(self._accesses[REGISTRY].spec.answers, self._accesses)
        callers = _Callers(self._accesses, self._disable, shelf, calls, answers, self._spec)
        saver = _Saver(callers, answers, shelf)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look(callers))
                group.create_task(saver.run())
                for index in self._accesses:
                    group.create_task(self._follow(index, callers))
        finally:
            await callers.stop(_STOP_S)
            with suppress(AiryError):
                await saver.save()
            saver.close()
            await calls.close()
            shelf.close()

    async def _look(self, callers: "_Callers") -> None:
        """Call those whom the registry names, as it names them now."""
        seen: dict[bytes, Webhook] = {}
        async for _ in self._feeds.written(REGISTRY, "webhooks"):
            present = seen
            with suppress(StateError, DamagedError):
                present = self._registry.webhooks()
            callers.check()
            if present is not seen:
                seen = present
                await callers.be_those_of(present)

    async def _follow(self, partition: PartitionIndex, callers: "_Callers") -> None:
        while True:
            await callers.any.wait()
            async for _ in self._feeds.written(partition, "changes"):
                callers.hear(partition)
                if not callers.any.is_set():
                    break

    async def _disable(self, webhook: Webhook, reason: str) -> None:
        seed = b"disable" + scope_of(webhook)
        command = DisableWebhook(
            id=format_id(command_id(Slot(0), seed)),
            principal=PRINCIPAL,
            webhook_id=format_id(webhook.id),
            began=webhook.began,
            reason=reason,
        )
        await self._partitions.command(REGISTRY, command, now_micros())


class _Callers:
    """Those who are called now.

    Attributes:
        any: set while there are any.
    """

    def __init__(
        self,
        accesses: Mapping[PartitionIndex, LocalAccess],
        disable: Disable,
        shelf: Shelf,
        calls: WebhookCalls,
        answers: Answers,
        spec: CallingSpec,
    ) -> None:
        self._accesses = accesses
        self._disable = disable
        self._shelf = shelf
        self._calls = calls
        self._answers = answers
        self._spec = spec
        self._running: dict[bytes, tuple[WebhookCaller, Orders, asyncio.Task[None]]] = {}
        self.any = asyncio.Event()

    async def be_those_of(self, webhooks: Mapping[bytes, Webhook]) -> None:
        """Call these and no others; forget what waits for those that are not subscribed."""
        wanted = {scope_of(each): each for each in webhooks.values() if each.is_called}
        ended = self._running.keys() - wanted.keys()
        # at once: a call that hangs must not hold up others, and if need be is made again
        await asyncio.gather(*(self._end(scope, 0) for scope in ended))
        kept = {scope_of(each) for each in webhooks.values() if each.status == "Subscribed"}
        for scope in began_scopes(self._shelf) - kept:
            present = webhooks.get(scope[:16])
            is_ours = present is not None and present.reason is not None
            Backlog(self._shelf, scope).end(now_millis(), buries=is_ours)
        for scope, webhook in wanted.items():
            if scope in self._running:
                caller, orders, _ = self._running[scope]
                caller.change(webhook)
                orders.news.set()
            else:
                self._begin(scope, webhook)
        if self._running:
            self.any.set()
        else:
            self.any.clear()

    def check(self) -> None:
        """Begin anew where something broke."""
        for scope, (caller, _, task) in list(self._running.items()):
            if task.done():
                error = task.exception()
                logger.error("webhook %s: is called anew", named(caller.webhook), exc_info=error)
                self._begin(scope, caller.webhook)

    def hear(self, partition: PartitionIndex) -> None:
        """Take note that there is more in a feed."""
        for caller, _, _ in self._running.values():
            caller.hear(partition)

    def save(self) -> None:
        """Have written how far all are."""
        for caller, _, task in self._running.values():
            if not task.done():
                caller.save()

    async def stop(self, within_s: float) -> None:
        """Call nobody any more."""
        await asyncio.gather(*(self._end(scope, within_s) for scope in list(self._running)))

    def _begin(self, scope: bytes, webhook: Webhook) -> None:
        backlog = Backlog(self._shelf, scope)
        caller = WebhookCaller(
            *(webhook, backlog, self._accesses, self._calls, self._spec, self._disable),
            self._answers,
        )
        orders = Orders(caller)
        task = asyncio.create_task(_run(caller, orders))
        self._running[scope] = caller, orders, task

    async def _end(self, scope: bytes, within_s: float) -> None:
        caller, _, task = self._running[scope]
        await caller.stop(within_s)
        caller.save()
        del self._running[scope]
        task.cancel()
        await asyncio.wait([task])


async def _run(caller: WebhookCaller, orders: Orders) -> None:
    try:
        await caller.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.run())
            group.create_task(orders.run())
    finally:
        await caller.stop(0)


class _Saver:
    """Writes what callers know: on one thread, so that nothing older is written later."""

    def __init__(self, callers: _Callers, answers: Answers, shelf: Shelf) -> None:
        self._callers = callers
        self._answers = answers
        self._shelf = shelf
        self._thread = ThreadPoolExecutor(1, "webhooks")

    async def run(self) -> None:
        """Write every now and then; what there is no space for is written later."""
        while True:
            await asyncio.sleep(_SAVE_S)
            try:
                await self.save()
            except DiskFullError as error:
                logger.warning("what webhooks were called with cannot be written: %s", error)
                await asyncio.sleep(_AGAIN_S)

    async def save(self) -> None:
        """Write what is not on disk yet."""
        self._answers.save()
        self._callers.save()
        if not self._shelf.is_written:
            rows = self._shelf.unwritten()
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._shelf.write, rows)
            self._shelf.forget(rows)

    def close(self) -> None:
        """Give the thread back, after what it is writing."""
        self._thread.shutdown()


def _opened(directory: Path) -> Shelf:
    """Open the environment; one that is damaged is put away, and all begin where they did first."""
    try:
        return Shelf(directory, TABLES)
    except DamagedError:
        aside = directory.with_name(f"{directory.name}.damaged-{now_millis()}")
        logger.exception("what webhooks have been called with is lost; it is in %s", aside)
        shutil.move(directory, aside)
        return Shelf(directory, TABLES)
