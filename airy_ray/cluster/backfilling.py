"""What was written to pages before they were connected, fetched beside the messages that go out.

1. A channel's row says that this is wished, and how far it is. A page of conversations is in the
   logs before the row says so: who is killed is followed by who fetches that page once more. Its
   messages are called what webhooks call them, so none is there twice.
2. Calls are made at a pace of their own. What may pass is tried again for some hours, later and
   later, and not before the platform wishes; then less is asked for at once. The rest is given up.
3. What comes of it goes into the logs as webhooks do, and is news to nobody: see `Recalled`.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from airy_ray.clock import now_micros
from airy_ray.cluster.access import Appends, LocalAccess
from airy_ray.cluster.backfill_spec import BackfillSpec
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.platform_calls import PlatformCalls, without
from airy_ray.cluster.registry import Registry
from airy_ray.delivery.pacing import Buckets
from airy_ray.model.channel import Backfill, Channel
from airy_ray.model.events import BackfillAdvanced
from airy_ray.model.ids import REGISTRY, ChannelId, PartitionIndex, format_id
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.sources import facebook_history
from airy_ray.sources.facebook_history import History, Listed, Thread
from airy_ray.sources.sending import Call, Later, Pace, Refused, Reply

logger = logging.getLogger(__name__)

_SOURCE = "facebook"
_OK = 200
_PACE = Pace(2.0, "history")
_CONVERSATIONS_AT_ONCE = 8
_MESSAGES_AT_ONCE = 25
_ANSWER_BYTES_MAX = 1 << 24
_LOOK_S = 1.0
_WAITS_S = (5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0, 7_200.0)
"""How long after each try that came to nothing; after one more it is given up."""
_TROUBLE_S = 10.0
_SKEW_MS = 60_000
"""How much the platform's clock may be behind."""


async def backfill(
    spec: BackfillSpec,
    accesses: Mapping[PartitionIndex, LocalAccess],
    appender: Appends,
    registry: Registry,
) -> None:
    """Fetch until cancelled, whatever happens: it must not end who sends messages beside it."""
    backfilling = Backfilling(spec, accesses, appender, registry)
    try:
        while True:
            try:
                await backfilling.run()
            except Exception:  # the registry is being rebuilt, say
                logger.exception("nothing of the past of pages is fetched now")
                await asyncio.sleep(_TROUBLE_S)
    finally:
        await backfilling.close()


class Backfilling:
    """Fetches the past of the pages for which that is wished; used in one event loop."""

    def __init__(
        self,
        spec: BackfillSpec,
        accesses: Mapping[PartitionIndex, LocalAccess],
        appender: Appends,
        registry: Registry,
    ) -> None:
        self._spec = spec
        self._count = accesses[REGISTRY].spec.count
        self._partitions = OwnPartitions(accesses, appender)
        self._registry = registry
        self._calls = PlatformCalls(answer_bytes_max=_ANSWER_BYTES_MAX)
        self._buckets = Buckets()
        self._tries: dict[ChannelId, int] = defaultdict(int)
        self._due_s: dict[ChannelId, float] = {}
        self._taken: dict[ChannelId, tuple[Backfill, dict[str, int]]] = {}
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Fetch until cancelled, a page of conversations of each channel in turn."""
        while True:
            now_s = self._loop.time()
            wished = [each for each in self._registry.channels_of(_SOURCE) if each.backfill]
            due = [each for each in wished if self._due_s.get(each.id, 0.0) <= now_s]
            for channel in due:
                try:
                    await self._step(channel)
                except Exception:  # whatever it is, other channels go on
                    logger.exception("channel %s: its past is not fetched", format_id(channel.id))
                    self._due_s[channel.id] = now_s + _TROUBLE_S
            if not due:
                await asyncio.sleep(_LOOK_S)

    async def close(self) -> None:
        """Close all connections."""
        await self._calls.close()

    async def _step(self, channel: Channel) -> None:
        """Fetch the next page of a channel's conversations, or find out when to go on."""
        backfill = channel.backfill
        assert backfill is not None  # nothing else was wished
        told = await self._page(channel, backfill)
        if isinstance(told, Later) and self._put_off(channel.id, told):
            return
        if not isinstance(told, BackfillAdvanced):
            told = BackfillAdvanced(channel.id, backfill, True, told.reason)
        await self._partitions.tell_at_leisure(REGISTRY, told)
        _log(told)
        self._tries.pop(channel.id, None)

    def _put_off(self, channel: ChannelId, told: Later) -> bool:
        """Have a channel wait; return whether it is worth it."""
        tries = self._tries[channel]
        if tries == len(_WAITS_S):
            return False
        wait_s = max(_WAITS_S[tries], told.after_s or 0.0)
        name = format_id(channel)
        logger.info("channel %s: its past waits for %.0f s: %s", name, wait_s, told.reason)
        self._tries[channel] += 1
        self._due_s[channel] = self._loop.time() + wait_s
        return True

    async def _page(
        self, channel: Channel, backfill: Backfill
    ) -> BackfillAdvanced | Refused | Later:
        """Have a page of conversations in the logs; return how far that is."""
        listed = await self._listed(channel, backfill)
        if not isinstance(listed, Listed):
            return listed
        since = backfill.since - _SKEW_MS if backfill.is_again else 0
        threads = [each for each in listed.threads if (each.updated_at or 0) >= since]
        taken = self._taken_of(channel.id, backfill)
        for thread in threads:
            missed = await self._take(channel, thread, taken)
            if missed is not None:
                return missed
        is_end = listed.after is None or not threads or len(threads) < len(listed.threads)
        if backfill.is_again:
            following = msgspec.structs.replace(backfill, after=listed.after or "")
            return BackfillAdvanced(channel.id, following, is_end)
        conversations = backfill.conversations + len(threads)
        is_end = is_end or conversations >= self._spec.conversations_max
        following = Backfill(
            backfill.since,
            "" if is_end else listed.after or "",
            conversations,
            backfill.messages + sum(taken.values()),
            is_again=is_end,
        )
        is_whole = is_end and not backfill.after  # nobody can have moved meanwhile
        return BackfillAdvanced(channel.id, following, is_whole)

    async def _listed(self, channel: Channel, backfill: Backfill) -> Listed | Refused | Later:
        left = self._spec.conversations_max - backfill.conversations
        at_once = max(_CONVERSATIONS_AT_ONCE >> self._tries[channel.id], 1)
        call = facebook_history.threads_call(
            self._spec.graph_url,
            channel.source_channel_id,
            channel.token or "",
            after=backfill.after,
            limit=at_once if backfill.is_again else min(at_once, left),
            messages=min(_MESSAGES_AT_ONCE, self._spec.messages_max),
        )
        reply = await self._asked(channel, call)
        if not isinstance(reply, Reply):
            return reply
        return facebook_history.listed(reply) or Later("the answer is no list of conversations")

    def _taken_of(self, channel: ChannelId, backfill: Backfill) -> dict[str, int]:
        """Return which conversations of this page were taken before something failed."""
        of, taken = self._taken.get(channel, (None, {}))
        if of != backfill:
            taken = {}
            self._taken[channel] = backfill, taken
        return taken

    async def _take(self, channel: Channel, thread: Thread, taken: dict[str, int]) -> Later | None:
        """Have a conversation in the logs; return why not, if that may pass."""
        if thread.known_as in taken:
            return None
        page, told = channel.source_channel_id, 0
        following: Thread | None = thread
        while following is not None:
            thread = following
            await self._store(page, thread)
            told += thread.count
            left = self._spec.messages_max - told
            if thread.after is None or left <= 0:
                break
            call = facebook_history.messages_call(
                self._spec.graph_url,
                thread,
                channel.token or "",
                limit=min(_MESSAGES_AT_ONCE, left),
            )
            reply = await self._asked(channel, call)
            if isinstance(reply, Later):
                return reply
            if isinstance(reply, Refused):  # it has not what came long ago, say
                name = format_id(channel.id)
                logger.info("channel %s: a conversation is told in part: %s", name, reply.reason)
                break
            following = facebook_history.earlier(page, thread, reply)
        taken[thread.known_as] = told
        return None

    async def _store(self, page: str, thread: Thread) -> None:
        """Append what is told of a conversation, wherever it belongs."""
        if not thread.count:
            return
        webhook = facebook_history.webhook_of(page, thread)
        record = record_of(History(), webhook, self._registry.channel, now_micros())
        for partition in partitions_of(record, self._count):
            await self._partitions.store(partition, record)

    async def _asked(self, channel: Channel, call: Call) -> Reply | Refused | Later:
        """Make a call, in its turn."""
        bucket = self._buckets.of(channel.id, _PACE)
        await asyncio.sleep(bucket.reserve(self._loop.time()))
        reply = await self._calls.made(call, is_deduplicating=True)
        if isinstance(reply, Reply) and reply.status == _OK:
            return reply
        missed = facebook_history.refusal(reply) if isinstance(reply, Reply) else reply
        return without(channel.token or "", missed)


def _log(told: BackfillAdvanced) -> None:
    name, done = format_id(told.channel_id), told.backfill
    if told.problem is not None:
        logger.warning("channel %s: the rest of its past is not told: %s", name, told.problem)
    logger.info(
        "channel %s: of its past %d conversations with %d messages are here%s",
        name,
        done.conversations,
        done.messages,
        ", which is all" if told.is_over and told.problem is None else "",
    )
