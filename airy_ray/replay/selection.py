"""Which conversations are folded again: chosen by what the log says of them, and then whole.

Rows that span conversations are a contact's, so whoever is chosen brings all conversations of their
contact along, and those whom it took over.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import (
    ID_BYTES,
    ChannelId,
    ContactId,
    ConversationId,
    MessageId,
    contact_id,
    format_id,
)
from airy_ray.partition.fold import Understood
from airy_ray.partition.naming import ids_of, is_about_people
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections import contacts
from airy_ray.projections.view import View
from airy_ray.rawlog.tail import LogTail


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be folded again: what all that is said holds of; everything, if nothing is.

    Attributes:
        sources, channels, conversations: it is of one of these.
        since, until: something of it was received at or after `since`, and before `until`.
        is_quarantined: something of it is in quarantine.
    """

    sources: tuple[str, ...] = ()
    channels: tuple[ChannelId, ...] = ()
    conversations: tuple[ConversationId, ...] = ()
    since: Millis | None = None
    until: Millis | None = None
    is_quarantined: bool = False

    @property
    def is_all(self) -> bool:
        """Whether everything is meant."""
        return self == Selection()

    def told(self) -> dict[str, Any]:
        """Return what is said, as JSON shows it; nothing if everything is meant."""
        said: dict[str, Any] = {
            "sources": list(self.sources),
            "channels": [format_id(each) for each in self.channels],
            "conversations": [format_id(each) for each in self.conversations],
            "since": None if self.since is None else json_text.instant(self.since),
            "until": None if self.until is None else json_text.instant(self.until),
            "quarantined": self.is_quarantined,
        }
        return {name: value for name, value in said.items() if value not in (None, False, [])}


def obstacle_to(selection: Selection, channels: Mapping[ChannelId, str]) -> str | None:
    """Return why nothing can be meant, given all channels there ever were with their sources."""
    since, until = selection.since, selection.until
    if since is not None and until is not None and since >= until:
        return f"until {json_text.instant(until)} is not after since {json_text.instant(since)}"
    there = set(channels.values())
    for source in selection.sources:
        if source not in there:
            return (
                f"there never was a channel of {source}, only of {', '.join(sorted(there)) or '-'}"
            )
    for channel in selection.channels:
        if channel not in channels:
            return f"there never was a channel {format_id(channel)}"
        if selection.sources and channels[channel] not in selection.sources:
            return f"channel {format_id(channel)} is of {channels[channel]}"
    return None


def channels_in(registry: PartitionSpec) -> Iterator[dict[ChannelId, str]]:
    """Yield all channels that there ever were with their sources, once.

    Raises:
        AiryError, FileNotFoundError: they cannot be told now.
    """
    with (
        closing(LogTail(registry.directory, is_read_only=True)) as tail,
        closing(PartitionReader(tail)) as reader,
        reader.read() as view,
    ):
        yield {each.id: each.source for each in view.channels()}


class Chosen(NamedTuple):
    """What one record says is to be folded again.

    Attributes:
        is_all: it is meant, and does not tell of which conversation it is.
    """

    conversations: set[bytes]
    is_all: bool = False


NOTHING = Chosen(set())


class Chooser:
    """Chooses conversations by the records that tell of them, with the help of the present rows."""

    def __init__(self, selection: Selection, view: View, quarantined: Iterable[int]) -> None:
        self._selection = selection
        self._view = view
        self._quarantined = frozenset(quarantined)

    def chosen_by(self, understood: Understood) -> Chosen:
        """Return the conversations of a record that are meant."""
        selection, record = self._selection, understood.record
        if selection.since is not None and record.at < selection.since:
            return NOTHING
        if selection.until is not None and record.at >= selection.until:
            return NOTHING
        if selection.is_quarantined and understood.offset not in self._quarantined:
            return NOTHING
        named = {MessageId(each) for each in ids_of(understood)}
        places = {
            route.conversation_id: (route.channel_id, route.source) for route in record.routes
        }
        for identifier in named:
            place = self._place(identifier)
            if place is not None:
                places.setdefault(*place)
        if not places and selection.is_quarantined:
            return Chosen(set(), is_all=True)
        return Chosen({each for each, place in places.items() if self._is_meant(each, *place)})

    def _is_meant(self, conversation: ConversationId, channel: ChannelId, source: str) -> bool:
        selection = self._selection
        return (
            (not selection.conversations or conversation in selection.conversations)
            and (not selection.channels or channel in selection.channels)
            and (not selection.sources or source in selection.sources)
        )

    def _place(self, identifier: bytes) -> tuple[ConversationId, tuple[ChannelId, str]] | None:
        """Return the conversation that an id is of, its channel and its source."""
        key = self._view.message_keys.get(MessageId(identifier))
        conversation = ConversationId(identifier if key is None else key[:ID_BYTES])
        row = self._view.conversations.get(conversation)
        if row is None:
            return None
        return conversation, (row.channel_id, row.source)


class People:
    """Which conversations and contacts have to do with one another, by what the log said of them.

    What was parted again counts as well: on the way there its rows were the others'.
    """

    def __init__(self) -> None:
        self._links: dict[bytes, set[bytes]] = {}

    def learn(self, understood: Understood) -> None:
        """Take note of whom a record names together."""
        if not is_about_people(understood):
            return
        named = set(ids_of(understood))
        for each in named:
            self._links.setdefault(each, set()).update(named)

    def all_of(self, view: View, conversations: Iterable[bytes]) -> set[bytes]:
        """Return conversations with their contacts, and all that these have to do with."""
        found: set[bytes] = set()
        made: set[bytes] = set()
        waiting = set(conversations)
        while waiting:
            identifier = waiting.pop()
            found.add(identifier)
            waiting.update(each for each in self._kin(view, identifier) if each not in found)
            if identifier not in made:  # so it may be a conversation, which made a contact
                contact = contact_id(ConversationId(identifier))
                made.add(contact)
                if contact not in found:
                    waiting.add(contact)
        return found

    def _kin(self, view: View, identifier: bytes) -> Iterator[bytes]:
        """Yield whom a conversation belongs to, or what a contact has to do with."""
        yield from self._links.get(identifier, ())
        holder = view.contact_of.get(ConversationId(identifier))
        if holder is not None:
            yield holder[:ID_BYTES]
        for conversation, _ in contacts.identities_of(view, ContactId(identifier)):
            yield conversation
