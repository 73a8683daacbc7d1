"""The registry in a serving process: decoded copies, valid while the registry has not changed.

Asking whether it has costs half a microsecond; a channel that was connected a moment ago is found,
and a token that was revoked a moment ago is not.
"""

from airy_ray.errors import DamagedError, StateError
from airy_ray.model import api_token, channel, message
from airy_ray.model.api_token import ApiToken
from airy_ray.model.channel import Channel
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.ids import ChannelId
from airy_ray.model.user import provider_of
from airy_ray.model.webhook import Webhook
from airy_ray.partition.reader import PartitionReader

_COPIES_MAX = 10_000


class Registry:
    """Channels, tokens and users, as the registry has them now. All calls from one thread."""

    def __init__(self, reader: PartitionReader) -> None:
        self._reader = reader
        self._version = -1
        self._channels: dict[ChannelId, Channel | None] = {}
        self._rendered: dict[ChannelId, bytes] = {}
        self._of_source: dict[str, tuple[Channel, ...]] = {}
        self._tokens: dict[bytes, ApiToken | None] = {}
        self._sources: dict[str, CustomSource | None] = {}
        self._senders: dict[str, bytes | None] = {}
        self._providers: set[str] | None = None
        self._webhooks: dict[bytes, Webhook] | None = None

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

    def channels_of(self, source: str) -> tuple[Channel, ...]:
        """Return the channels of a source, by id; reads all channels once while nothing changes."""
        self._renew()
        if source not in self._of_source:
            found = tuple(each for each in self.channels() if each.source == source)
            self._of_source[source] = found
        return self._of_source[source]

    def rendered(self, identifier: ChannelId) -> bytes:
        """Return a channel's JSON, encoded once while it stays the same."""
        found = self.channel(identifier)
        if identifier not in self._rendered:
            self._rendered[identifier] = b"null" if found is None else channel.rendered(found)
        return self._rendered[identifier]

    def token(self, digest: bytes) -> ApiToken | None:
        """Return the API token whose secret has this digest; whether it is good is not asked.

        Raises:
            StateError, DamagedError: the registry cannot be read now.
        """
        self._renew()
        if digest not in self._tokens:
            with self._reader.read() as view:
                found = view.api_token(api_token.token_id(digest))
            is_it = found is not None and found.digest == digest
            self._tokens[digest] = found if is_it else None
        return self._tokens[digest]

    def source(self, identifier: str) -> CustomSource | None:
        """Return a custom source.

        Raises:
            StateError, DamagedError: the registry cannot be read now.
        """
        self._renew()
        if identifier not in self._sources:
            with self._reader.read() as view:
                self._sources[identifier] = view.source(identifier)
        return self._sources[identifier]

    def sender(self, identifier: str) -> bytes | None:
        """Return how messages end that a user of the directory sent; None for anybody else.

        Most senders are contacts, which their ids give away: no user's provider begins them.
        """
        if ":" not in identifier:
            return None
        self._renew()
        if self._providers is None:
            with self._reader.read() as view:
                self._providers = view.user_providers()
        if provider_of(identifier) not in self._providers:
            return None
        if identifier not in self._senders:
            with self._reader.read() as view:
                user = view.user(identifier)
            self._senders[identifier] = (
                None if user is None else message.sender(user.id, user.name, user.avatar_url)
            )
        return self._senders[identifier]

    def webhooks(self) -> dict[bytes, Webhook]:
        """Return all webhooks, by id.

        Raises:
            StateError, DamagedError: the registry cannot be read now.
        """
        self._renew()
        if self._webhooks is None:
            with self._reader.read() as view:
                self._webhooks = {each.id: each for each in view.webhooks()}
        return self._webhooks

    def _renew(self) -> None:
        version = self._reader.transaction_id
        copies = len(self._channels) + len(self._tokens) + len(self._sources) + len(self._senders)
        if version != self._version or copies > _COPIES_MAX:
            self._version = version
            self._channels.clear()
            self._rendered.clear()
            self._of_source.clear()
            self._tokens.clear()
            self._sources.clear()
            self._senders.clear()
            self._providers = None
            self._webhooks = None


def known_channel(registry: Registry, identifier: ChannelId) -> Channel | None:
    """Return a channel for routing; while the registry cannot be read, nothing is known of any.

    What is stored meanwhile waits for its channel, and is routed again once that is seen.
    """
    try:
        return registry.channel(identifier)
    except (StateError, DamagedError):
        return None
