"""The registry in a serving process: decoded copies, valid while the registry has not changed.

Asking whether it has costs half a microsecond; a channel that was connected a moment ago is found.
"""

from airy_ray.errors import DamagedError, StateError
from airy_ray.model import channel
from airy_ray.model.channel import Channel
from airy_ray.model.ids import ChannelId
from airy_ray.partition.reader import PartitionReader

_COPIES_MAX = 10_000


class Registry:
    """Channels by id, as the registry has them now. All calls must come from one thread."""

    def __init__(self, reader: PartitionReader) -> None:
        self._reader = reader
        self._version = -1
        self._channels: dict[ChannelId, Channel | None] = {}
        self._rendered: dict[ChannelId, bytes] = {}

    def channel(self, identifier: ChannelId) -> Channel | None:
        """Return a channel, connected or not.

        Raises:
            StateError, DamagedError: the registry cannot be read now.
        """
        self._renew()
        if identifier not in self._channels:
            with self._reader.read() as view:
                self._channels[identifier] = view.channel(identifier)
        return self._channels[identifier]

    def channels(self) -> list[Channel]:
        """Return all channels, by id."""
        with self._reader.read() as view:
            return view.channels()

    def rendered(self, identifier: ChannelId) -> bytes:
        """Return a channel's JSON, encoded once while it stays the same."""
        found = self.channel(identifier)
        if identifier not in self._rendered:
            self._rendered[identifier] = b"null" if found is None else channel.rendered(found)
        return self._rendered[identifier]

    def _renew(self) -> None:
        version = self._reader.transaction_id
        if version != self._version or len(self._channels) > _COPIES_MAX:
            self._version = version
            self._channels.clear()
            self._rendered.clear()


def known_channel(registry: Registry, identifier: ChannelId) -> Channel | None:
    """Return a channel for routing; while the registry cannot be read, nothing is known of any.

    What is stored meanwhile waits for its channel, and is routed again once that is seen.
    """
    try:
        return registry.channel(identifier)
    except (StateError, DamagedError):
        return None
