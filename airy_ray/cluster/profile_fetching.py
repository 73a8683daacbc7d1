"""Profiles of contacts, fetched from their sources beside the messages that go out (sources §1.4).

1. One conversation is asked for once at a time, a source for a few, and a channel at a pace of its
   own: no message of ours waits for that.
2. What came of it is appended. Calls are harmless, so nothing is said before one: who was killed is
   followed by another who asks again.
   A picture that only we can fetch is stored before: the profile has the address of our copy.
3. What may pass is tried again for a few hours, later and later; the rest is given up at once.
4. However many profiles are wanted, few of them are in memory; the others wait in their rows.
5. While a channel is not connected, or its token is not good, its rows wait: nothing is called,
   nothing is written, and to look past a million of them takes 0.3 s of the processor.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from airy_ray.clock import now_millis
from airy_ray.cluster.channel_tokens import tell_token
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.platform_calls import PlatformCalls, without
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.sendings import Sendings, sending_of
from airy_ray.cluster.turns import Turns
from airy_ray.delivery import profiling
from airy_ray.delivery.lanes import Turn
from airy_ray.delivery.pacing import Buckets
from airy_ray.errors import DamagedError, DeliveryError, FetchError, StateError, StorageError
from airy_ray.model import json_text
from airy_ray.model.events import Event, FilesLeft, ProfileFetched, ProfilePutOff
from airy_ray.model.ids import ChannelId, MessageId, PartitionIndex, format_id
from airy_ray.model.media_links import files_in
from airy_ray.projections.view import WantedProfile
from airy_ray.sources.files import Link
from airy_ray.sources.profiles import AVATAR, Pictures, Profile, Profiles
from airy_ray.sources.sending import Later, Pace, Refused, Reply
from airy_ray.state.queries import Reading

if TYPE_CHECKING:
    from airy_ray.cluster.file_keeping import FileKeeping

logger = logging.getLogger(__name__)

_AT_ONCE = 4
"""How many contacts a source is asked for at once."""
_PACE = Pace(10.0, "profile")
_WAITING_MAX = 1_000
_LOOK_S = 1.0
"""How often it is looked for what is due: names have time, and so no owner is hurried."""
_REST = 100
"""How many times as long as that takes of the processor it rests at least."""
_UNHEARD_S = 60.0
"""How long to wait where what was told has come to nothing, as it must not."""


class ProfileFetching:
    """Fetches the profiles that are wanted; used in one event loop."""

    def __init__(
        self,
        partitions: OwnPartitions,
        registry: Registry,
        sendings: Sendings,
        calls: PlatformCalls,
        fetching: FetchingSpec | None = None,
    ) -> None:
        self._partitions = partitions
        self._registry = registry
        self._sendings = sendings
        self._calls = calls
        self._fetching = fetching
        self._files: FileKeeping | None = None
        self._turns = Turns(self._step, _AT_ONCE)
        self._buckets = Buckets()
        self._indexes: list[PartitionIndex] = []
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Have fetched what waits in rows of the partitions that are watched, until cancelled."""
        while True:
            began_s = time.thread_time()
            random.shuffle(self._indexes)  # or the first might have all the room
            for index in self._indexes:
                await self._look(index)
            took_s = time.thread_time() - began_s
            await asyncio.sleep(max(_LOOK_S, took_s * _REST))

    async def _look(self, index: PartitionIndex) -> None:
        """Take in what is due in a partition, as far as there is room."""
        channels = self._channels()
        start: bytes | None = b""
        while start is not None and len(self._turns) <= _WAITING_MAX // 2:
            due, start = await self._partitions.ask(
                index, Reading.due_profiles, now_millis(), channels, start, _WAITING_MAX
            )
            self.take_in(index, due)
            await asyncio.sleep(0)  # others have their turn

    def _channels(self) -> set[ChannelId]:
        """Return the channels whose contacts can be asked for now; none if that cannot be told."""
        try:
            return {
                channel.id
                for name, source in self._sendings.items()
                if isinstance(source, Profiles)
                for channel in self._registry.channels_of(name)
                if profiling.may_ask(channel, needs_token=source.needs_token)
            }
        except (StateError, DamagedError):
            return set()

    def watch(self, index: PartitionIndex) -> None:
        """Look for what waits in a partition, now and from now on."""
        self._indexes.append(index)

    def take_in(self, index: PartitionIndex, wanted: Iterable[WantedProfile]) -> None:
        """Have profiles fetched, as far as there is room."""
        for each in wanted:
            place = each.place
            if len(self._turns) >= _WAITING_MAX:
                break
            named = MessageId(place.conversation_id)  # it has one profile
            self._turns.add(Turn(index, named, place.conversation_id, place.source), each.since)
        self._turns.begin()

    async def stop(self) -> None:
        """Fetch nothing more; what is under way is fetched by who comes next."""
        await self._turns.cancel()
        if self._files is not None:
            await self._files.close()

    async def _step(self, turn: Turn) -> float | None:
        """Ask for a contact once; return when to go on, None if nothing more is wanted now."""
        wanted = await self._wanted(turn)
        if wanted is None or wanted.due_at > now_millis():
            return None
        source = sending_of(self._sendings, wanted.place.source)
        assert isinstance(source, Profiles)  # nothing else was taken in
        channel = self._registry.channel(wanted.place.channel_id)
        if channel is None or not profiling.may_ask(channel, needs_token=source.needs_token):
            return None  # it waits in its row
        bucket = self._buckets.of(wanted.place.channel_id, _PACE)
        wait_s = turn.slot_in_s(bucket, self._loop.time())
        if wait_s > 0:
            return wait_s
        turn.has_slot = False
        token = channel.token or ""
        told = await self._fetch(wanted, source, token)
        if isinstance(told, Refused) and told.is_of_token:
            await tell_token(self._partitions, self._registry, channel.id, token, told.reason)
            return 0.0
        if isinstance(told, Later) and told.after_s is not None:
            bucket.close_until(self._loop.time() + told.after_s)
        if await self._wanted(turn) != wanted:  # it was erased meanwhile
            await self._leave(turn.partition, told)
            return 0.0
        await self._partitions.tell_at_leisure(turn.partition, _outcome(wanted, told))
        await self._settle(told)
        return _UNHEARD_S if await self._wanted(turn) == wanted else 0.0

    async def _fetch(
        self, wanted: WantedProfile, source: Profiles, token: str
    ) -> Profile | Refused | Later:
        """Ask one way after the other, until one tells or there is no sense in asking now."""
        contact = wanted.place.source_conversation_id
        missed: Refused | Later = Refused("there is no way to ask")
        try:
            for call in source.profile_calls(contact, token):
                reply = await self._calls.made(call, is_deduplicating=True)
                told = source.profile(contact, reply) if isinstance(reply, Reply) else reply
                if isinstance(told, Profile):
                    return await self._with_picture(told, wanted, token)
                missed = without(token, told)
                if isinstance(missed, Refused) and missed.is_of_token:
                    break
                if isinstance(missed, Later) and not profiling.is_last(wanted):
                    break
        except DeliveryError as error:
            missed = Refused(error.reason)
        name = format_id(wanted.place.conversation_id)
        logger.info("conversation %s: no profile: %s", name, missed.reason)
        return missed

    async def _with_picture(
        self, known: Profile, wanted: WantedProfile, token: str
    ) -> Profile | Later:
        """Return a profile with the address of our copy of the picture, if there is one.

        It is put off while the picture may still be had; who has none is known without.
        """
        source = sending_of(self._sendings, wanted.place.source)
        if self._fetching is None or not isinstance(source, Pictures):
            return known
        call = source.picture_call(wanted.place.source_conversation_id, token)
        if call is None:
            return known
        reply = await self._calls.made(call, is_deduplicating=True)
        told = source.picture(reply) if isinstance(reply, Reply) else reply
        if isinstance(told, Link):
            kept = await self._kept(wanted.place.source, told, token)
            if isinstance(kept, str):
                return Profile(known.values | {AVATAR: json_text.quote(kept)})
            told = kept
        missed = without(token, told)
        name = format_id(wanted.place.conversation_id)
        logger.info("conversation %s: no picture: %s", name, missed.reason)
        if isinstance(missed, Refused) or profiling.is_last(wanted):
            return known
        return missed

    async def _kept(self, source: str, link: Link, token: str) -> str | Refused | Later:
        """Have a file kept; return the address of the copy."""
        try:
            return await self._keeping().kept(source, link, token)
        except FetchError as error:
            return Later(error.reason) if error.may_pass else Refused(error.reason)
        except (StorageError, OSError) as error:
            return Later(type(error).__name__)

    def _keeping(self) -> FileKeeping:
        """Return who keeps files, who is there from the first one on."""
        assert self._fetching is not None  # else no picture is asked for
        if self._files is None:
            from airy_ray.cluster.file_keeping import FileKeeping  # takes memory

            self._files = FileKeeping(self._fetching)
        return self._files

    async def _leave(self, index: PartitionIndex, told: Profile | Refused | Later) -> None:
        """Have a copy looked after that nothing is going to link to."""
        files = files_in(*told.values.values()) if isinstance(told, Profile) else ()
        if files:
            await self._partitions.tell_at_leisure(index, FilesLeft(tuple(sorted(files))))
        await self._settle(told)

    async def _settle(self, told: Profile | Refused | Later) -> None:
        """Say that the log has the copy of a picture."""
        if self._files is not None and isinstance(told, Profile):
            await self._files.settle(*told.values.values())

    async def _wanted(self, turn: Turn) -> WantedProfile | None:
        return await self._partitions.ask(
            turn.partition, Reading.wanted_profile, turn.conversation_id
        )


def _outcome(wanted: WantedProfile, told: Profile | Refused | Later) -> Event:
    conversation, at = wanted.place.conversation_id, now_millis()
    if isinstance(told, Later):
        due_at = profiling.due_again(wanted, told, at, random.random())  # noqa: S311
        if due_at is not None:
            return ProfilePutOff(conversation, wanted.since, wanted.tries + 1, due_at)
    values = told.values if isinstance(told, Profile) else {}
    return ProfileFetched(conversation, wanted.since, values, at)
