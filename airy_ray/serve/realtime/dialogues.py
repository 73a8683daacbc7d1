"""What clients may say on each path: people and programs on one, visitors of websites on the other.

Contract: platform API §9 and §12.3; what goes beyond it: design §6, "Resume".
"""

import asyncio
from abc import ABC, abstractmethod

from airy_ray.cluster.registry import Registry
from airy_ray.config import Realtime
from airy_ray.errors import ProtocolError, RequestError
from airy_ray.model.ids import ChannelId, ConversationId, parse_id
from airy_ray.serve.api.callers import Grant, Reach
from airy_ray.serve.api.tokens import Tokens, bearer
from airy_ray.serve.realtime.connection import BEATS, Connection
from airy_ray.serve.realtime.hub import Hub, Subscription, Wanted
from airy_ray.serve.realtime.telling import Telling, message_head
from airy_ray.stomp.frame import Frame
from airy_ray.stomp.session import subscription_id

EVENTS = "/events"
VISITOR_MESSAGES = "/user/queue/message"
_CONVERSATIONS, _CHANNELS = "/conversations/", "/channels/"
_SHARED = ("tag.updated", "component.updated")
"""What is nobody's in particular."""


class Dialogue(ABC):
    """Carries out the frames of one client."""

    def __init__(self, hub: Hub, settings: Realtime) -> None:
        self._hub = hub
        self._settings = settings

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
                raise ProtocolError("nothing is sent here")
            case "DISCONNECT":
                connection.acknowledge(frame)
                connection.wire.close(1000, "")
            case _:
                connection.acknowledge(frame)

    def leave(self, connection: Connection) -> None:
        """Take a client that is gone out of everything."""
        for name in list(connection.subscriptions):
            self._unsubscribe(connection, name)

    @abstractmethod
    def _enter(self, frame: Frame) -> dict[str, str]:
        """Let a client in by its CONNECT frame; return headers for the answer."""

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
        head = message_head(connection.session, frame.headers["destination"], name)
        subscription = self._subscription(connection, frame, head)
        if subscription is None:
            connection.acknowledge(frame)
            return
        connection.subscriptions[name] = subscription
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
        if places is None or not await self._hub.is_recoverable(places):
            self._hub.join(subscription)
            connection.acknowledge(frame, positions=self._hub.told, recovered="false")
            return
        connection.acknowledge(frame, positions=self._hub.told, recovered="true")
        connection.catching_up[subscription.name] = asyncio.create_task(
            self._hub.catch_up(subscription, places)
        )

    def _unsubscribe(self, connection: Connection, name: str) -> None:
        catching_up = connection.catching_up.pop(name, None)
        if catching_up is not None:
            catching_up.cancel()
        subscription = connection.subscriptions.pop(name, None)
        if subscription is not None:
            self._hub.leave(subscription)


class Inbox(Dialogue):
    """People who answer, and programs."""

    def __init__(self, hub: Hub, settings: Realtime, grant: Grant, registry: Registry) -> None:
        super().__init__(hub, settings)
        self._grant = grant
        self._registry = registry

    def _enter(self, frame: Frame) -> dict[str, str]:
        return {"user-name": self._grant.principal} if self._grant.kind != "anonymous" else {}

    def _subscription(
        self, connection: Connection, frame: Frame, head: bytes
    ) -> Subscription | None:
        destination = frame.headers["destination"]
        topic: ConversationId | ChannelId | None = None
        if destination.startswith(_CONVERSATIONS):
            topic = ConversationId(_id(destination.removeprefix(_CONVERSATIONS)))
        elif destination.startswith(_CHANNELS):
            topic = ChannelId(_id(destination.removeprefix(_CHANNELS)))
        elif destination != EVENTS:
            return None
        return Subscription(
            connection, subscription_id(frame), head, topic, self._wanted(self._grant.reach)
        )

    def _wanted(self, reach: Reach | None) -> Wanted | None:
        """Return what a limited token may hear of."""
        if reach is None:
            return None
        registry = self._registry

        def is_within(telling: Telling) -> bool:
            if telling.channel is None:
                return telling.change.kind in _SHARED
            return reach.covers(registry.channel(telling.channel))

        return is_within


class Visitor(Dialogue):
    """The visitor of a website, in any of their tabs."""

    def __init__(self, hub: Hub, settings: Realtime, tokens: Tokens) -> None:
        super().__init__(hub, settings)
        self._tokens = tokens
        self._conversation: ConversationId | None = None

    def _enter(self, frame: Frame) -> dict[str, str]:
        token = bearer(frame.headers.get("Authorization"))
        try:
            if token is None:
                raise RequestError(401, "a visitor's token is required")
            visit = self._tokens.read_visit(token)
            self._conversation = ConversationId(parse_id(visit.conversation_id))
        except RequestError as error:
            raise ProtocolError(f"401 {error.reason}") from None
        except ValueError:
            raise ProtocolError("401 the token is for no conversation") from None
        return {"user-name": visit.conversation_id}

    def _subscription(
        self, connection: Connection, frame: Frame, head: bytes
    ) -> Subscription | None:
        if frame.headers["destination"] != VISITOR_MESSAGES or self._conversation is None:
            return None
        name = subscription_id(frame)
        return Subscription(connection, name, head, self._conversation, is_visitors=True)


def _id(text: str) -> bytes:
    try:
        return parse_id(text)
    except ValueError:
        raise ProtocolError("the destination has no id that is one") from None
