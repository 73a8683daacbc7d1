"""What clients may say on each path: people and programs on one, visitors of websites on the other.

Contract: platform API §9 and §12.3; what goes beyond it: design §6, "Resume".
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from airy_ray.cluster.ephemeral import EphemeralSender
from airy_ray.cluster.partitions import Partitions
from airy_ray.cluster.registry import Registry
from airy_ray.config import Realtime
from airy_ray.errors import AiryError, FilterError, ProtocolError, RequestError
from airy_ray.filters.syntax import parse
from airy_ray.model.api_token import includes
from airy_ray.model.ids import ChannelId, ConversationId, format_id, parse_id
from airy_ray.serve import ephemeral_events
from airy_ray.serve.api.callers import Grant, Reach
from airy_ray.serve.api.tokens import Profile, Tokens, bearer
from airy_ray.serve.realtime.connection import BEATS, Connection
from airy_ray.serve.realtime.hub import PRESENCE, Hub, Subscription, Topic, Wanted
from airy_ray.serve.realtime.metrics import RealtimeMetrics
from airy_ray.serve.realtime.positions import Places
from airy_ray.serve.realtime.presence import PresenceTracker
from airy_ray.serve.realtime.telling import Telling, event_message, message_head
from airy_ray.state.search.matching import compiled
from airy_ray.stomp.frame import Frame
from airy_ray.stomp.session import subscription_id

logger = logging.getLogger(__name__)

_S = TypeVar("_S", bound=msgspec.Struct)

EVENTS = "/events"
_CONVERSATIONS, _CHANNELS, _PRESENCE = "/conversations/", "/channels/", "/presence"
_TYPING = "/typing"
_SHARED = ("tag.updated", "component.updated")
"""What is nobody's in particular."""


@dataclass(frozen=True)
class Desk:
    """What all dialogues of a process share."""

    hub: Hub
    settings: Realtime
    partitions: Partitions
    registry: Registry
    tokens: Tokens
    ephemeral: EphemeralSender
    presence: PresenceTracker
    metrics: RealtimeMetrics


class _Typing(msgspec.Struct):
    typing: bool = True


class _Seen(msgspec.Struct):
    message_id: str


class Dialogue(ABC):
    """Carries out the frames of one client."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._hub = desk.hub
        self._settings = desk.settings

    async def carry_out(self, connection: Connection, frame: Frame) -> None:
        """Do what a frame asks for.

        Raises:
            ProtocolError: it cannot be done; the connection is to be closed.
        """
        match frame.command:
            case "CONNECT" | "STOMP":
                connection.session.connect(frame, BEATS)
                headers = {"version": connection.session.version, "heart-beat": str(BEATS)}
                connection.send(Frame("CONNECTED", headers | self._enter(frame)))
            case "SUBSCRIBE":
                await self._subscribe(connection, frame)
            case "UNSUBSCRIBE":
                self._unsubscribe(connection, subscription_id(frame))
                connection.acknowledge(frame)
            case "SEND":
                connection.spend(_now())
                await self._take(connection, frame)
                connection.acknowledge(frame)
            case "DISCONNECT":
                connection.acknowledge(frame)
                connection.wire.close(1000, "")
            case _:
                connection.acknowledge(frame)

    @property
    def is_let_in(self) -> bool:
        """Whether its client may still be here."""
        return True

    def leave(self, connection: Connection) -> None:
        """Take a client that is gone out of everything."""
        for name in list(connection.subscriptions):
            self._unsubscribe(connection, name)

    @abstractmethod
    def _enter(self, frame: Frame) -> dict[str, str]:
        """Let a client in by its CONNECT frame; return headers for the answer."""

    @abstractmethod
    async def _take(self, connection: Connection, frame: Frame) -> None:
        """Take what a client sends."""

    @abstractmethod
    def _subscription(
        self, connection: Connection, frame: Frame, head: bytes
    ) -> Subscription | None:
        """Return what a SUBSCRIBE is to; None if nothing is ever sent there."""

    async def _subscribe(self, connection: Connection, frame: Frame) -> None:
        name = subscription_id(frame)
        if name in connection.subscriptions:
            raise ProtocolError("there is a subscription of this id")
        if len(connection.subscriptions) >= self._settings.subscriptions:
            raise ProtocolError(f"more than {self._settings.subscriptions} subscriptions")
        connection.spend(_now())
        head = message_head(connection.session, frame.headers["destination"], name)
        subscription = self._subscription(connection, frame, head)
        if subscription is None:
            connection.acknowledge(frame)
            return
        await self._hub.enter()
        connection.subscriptions[name] = subscription
        self._viewing(subscription, is_on=True)
        told = frame.headers.get("resume-from")
        if told is None:
            self._hub.join(subscription)
            connection.acknowledge(frame, positions=self._hub.told)
        else:
            await self._resume(subscription, frame, told)

    async def _resume(self, subscription: Subscription, frame: Frame, told: str) -> None:
        connection = subscription.connection
        subscription.is_told_positions = True
        places = self._hub.positions.places(told)
        is_recovered = places is not None and await self._hub.is_recoverable(places)
        self._desk.metrics.resumed(recovered=is_recovered)
        if places is None or not is_recovered:
            self._hub.join(subscription)
            connection.acknowledge(frame, positions=self._hub.told, recovered="false")
            return
        connection.acknowledge(frame, positions=self._hub.told, recovered="true")
        task = asyncio.create_task(self._catch_up(subscription, places))
        connection.catching_up[subscription.name] = task

    async def _catch_up(self, subscription: Subscription, places: Places) -> None:
        try:
            await self._hub.catch_up(subscription, places)
        except Exception:  # whatever it is, nobody may wait for what does not come
            logger.exception("a subscription cannot catch up")
            subscription.connection.give_up("500 what was missed cannot be sent: try again")

    def _unsubscribe(self, connection: Connection, name: str) -> None:
        catching_up = connection.catching_up.pop(name, None)
        if catching_up is not None:
            catching_up.cancel()
        subscription = connection.subscriptions.pop(name, None)
        if subscription is not None:
            self._viewing(subscription, is_on=False)
            self._hub.leave(subscription)

    def _viewing(self, subscription: Subscription, *, is_on: bool) -> None:  # noqa: B027
        """Note that a conversation is looked at, or no more."""


class Inbox(Dialogue):
    """People who answer, and programs.

    Who was let in by the upgrade's headers has a grant; who said that they would tell in CONNECT
    who they are has none before that.
    """

    def __init__(self, desk: Desk, grant: Callable[[str | None], Grant], *, is_late: bool) -> None:
        super().__init__(desk)
        self._granted = grant
        self._token: str | None = None
        self._grant = None if is_late else grant(None)

    @property
    def is_let_in(self) -> bool:
        """Whether tokens and cookies still say so."""
        try:
            if self._grant is not None:
                self._granted(self._token)
        except RequestError:
            return False
        except AiryError:
            pass  # it cannot be told now
        return True

    def leave(self, connection: Connection) -> None:
        """Take a client that is gone out of everything."""
        super().leave(connection)
        if self._profile is not None and connection.session.is_connected:
            self._desk.presence.leave(self._profile, _now())

    @property
    def _profile(self) -> Profile | None:
        return None if self._grant is None else self._grant.profile

    def _enter(self, frame: Frame) -> dict[str, str]:
        if self._grant is None:
            token = bearer(frame.headers.get("Authorization")) or frame.headers.get("passcode")
            try:
                self._grant = self._granted(token or "")
            except RequestError:
                raise ProtocolError("401 a token is required") from None
            self._token = token
        if self._profile is not None:
            self._desk.presence.enter(self._profile, _now())
        grant = self._grant
        return {"user-name": grant.principal} if grant.kind != "anonymous" else {}

    async def _take(self, connection: Connection, frame: Frame) -> None:
        """Take that somebody types: `/conversations/<id>/typing`."""
        assert self._grant is not None  # CONNECT came first
        destination = frame.headers["destination"]
        name = destination.removeprefix(_CONVERSATIONS).removesuffix(_TYPING)
        if destination != f"{_CONVERSATIONS}{name}{_TYPING}":
            raise ProtocolError("nothing is sent there")
        conversation = ConversationId(_id(name))
        told = _decoded(frame, _Typing)
        if not includes(self._grant.scope, "write"):
            raise ProtocolError("403 the token is for reading")
        found = await self._desk.partitions.conversation(conversation)
        reach = self._grant.reach
        if found is None or (
            reach is not None and not reach.covers(self._desk.registry.channel(found.channel_id))
        ):
            return
        event = ephemeral_events.typing(
            conversation,
            found.channel_id,
            self._grant.principal,
            from_contact=False,
            is_on=told.typing,
        )
        self._desk.ephemeral.tell(event)

    def _subscription(
        self, connection: Connection, frame: Frame, head: bytes
    ) -> Subscription | None:
        assert self._grant is not None  # CONNECT came first
        destination, name = frame.headers["destination"], subscription_id(frame)
        topic: Topic | None = None
        viewed: ConversationId | None = None
        if destination.startswith(_CONVERSATIONS):
            topic = viewed = ConversationId(_id(destination.removeprefix(_CONVERSATIONS)))
        elif destination.startswith(_CHANNELS):
            topic = ChannelId(_id(destination.removeprefix(_CHANNELS)))
        elif destination == _PRESENCE:
            if self._grant.reach is not None:
                raise ProtocolError("403 the token does not reach everybody")
            for event in self._desk.presence.all():
                connection.wire.write(event_message(head, event))
            return Subscription(connection, name, head, PRESENCE)
        elif destination != EVENTS:
            return None
        filters = frame.headers.get("filter")
        return Subscription(
            connection,
            name,
            head,
            topic,
            self._wanted(self._grant.reach, filters),
            viewed=viewed,
            is_told_positions=filters is not None,
        )

    def _viewing(self, subscription: Subscription, *, is_on: bool) -> None:
        if self._profile is None or subscription.viewed is None:
            return
        presence = self._desk.presence
        note = presence.view if is_on else presence.unview
        note(self._profile, subscription.viewed, _now())

    def _wanted(self, reach: Reach | None, filters: str | None) -> Wanted | None:
        """Return what a subscription hears of beside its destination; None for all of that."""
        conditions = []
        if reach is not None:
            conditions.append(self._within(reach))
        if filters is not None:
            conditions.append(_found(filters))
        if not conditions:
            return None
        return lambda telling: all(holds(telling) for holds in conditions)

    def _within(self, reach: Reach) -> Wanted:
        """Return what a limited token may hear of."""
        registry = self._desk.registry

        def is_within(telling: Telling) -> bool:
            if telling.channel is None:
                return telling.change.kind in _SHARED
            return reach.covers(registry.channel(telling.channel))

        return is_within


class Visitor(Dialogue):
    """The visitor of a website, in any of their tabs."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._visit: tuple[ConversationId, ChannelId] | None = None

    def _enter(self, frame: Frame) -> dict[str, str]:
        token = bearer(frame.headers.get("Authorization"))
        try:
            if token is None:
                raise RequestError(401, "a visitor's token is required")
            visit = self._desk.tokens.read_visit(token)
            conversation = ConversationId(parse_id(visit.conversation_id))
            self._visit = conversation, ChannelId(parse_id(visit.channel_id))
        except RequestError as error:
            raise ProtocolError(f"401 {error.reason}") from None
        except ValueError:
            raise ProtocolError("401 the token is for no conversation") from None
        return {"user-name": visit.conversation_id}

    async def _take(self, connection: Connection, frame: Frame) -> None:
        """Take that a visitor types, or has seen what was written to them."""
        assert self._visit is not None  # CONNECT came first
        conversation, channel = self._visit
        match frame.headers["destination"]:
            case "/typing":
                event = ephemeral_events.typing(
                    conversation,
                    channel,
                    format_id(conversation),
                    from_contact=True,
                    is_on=_decoded(frame, _Typing).typing,
                )
            case "/seen":
                message = format_id(_id(_decoded(frame, _Seen).message_id))
                event = ephemeral_events.seen(conversation, channel, message)
            case _:
                raise ProtocolError("nothing is sent there")
        self._desk.ephemeral.tell(event)

    def _subscription(
        self, connection: Connection, frame: Frame, head: bytes
    ) -> Subscription | None:
        assert self._visit is not None  # CONNECT came first
        conversation, _ = self._visit
        name = subscription_id(frame)
        match frame.headers["destination"]:
            case "/user/queue/message":
                return Subscription(connection, name, head, conversation, hears="visitor messages")
            case "/user/queue/events":
                return Subscription(connection, name, head, conversation, hears="visitor events")
        return None


def _found(filters: str) -> Wanted:
    """Return whether a change is of a conversation that a filter finds, as that is now.

    Of one that is gone nobody can tell any more: all are told, for they may hold something of it.
    """
    try:
        matches = compiled(parse(filters))
    except FilterError as error:
        raise ProtocolError(str(error)) from None

    def is_found(telling: Telling) -> bool:
        if telling.found_by is None:
            return telling.is_of_what_is_gone
        return matches(telling.found_by)

    return is_found


def _decoded(frame: Frame, form: type[_S]) -> _S:
    try:
        return msgspec.json.decode(frame.body or b"{}", type=form)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"the body: {error}") from None


def _id(text: str) -> bytes:
    try:
        return parse_id(text)
    except ValueError:
        raise ProtocolError("that is no id") from None


def _now() -> float:
    return asyncio.get_running_loop().time()
