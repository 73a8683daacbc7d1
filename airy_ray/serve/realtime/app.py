"""The Realtime application: lets clients in, carries out their frames, keeps them alive."""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from functools import partial
from itertools import islice

from airy_ray.cluster.ephemeral import Ephemeral, EphemeralListener, EphemeralSender, Presence
from airy_ray.cluster.feeds import Feeds
from airy_ray.cluster.layout import Layout, jwt_secret
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.machine import Machine, machine_spec
from airy_ray.cluster.partitions import Partitions
from airy_ray.config import Settings
from airy_ray.errors import AiryError, ProtocolError, RequestError
from airy_ray.garbage import collect_seldom
from airy_ray.serve import problems
from airy_ray.serve.api.callers import Callers, Grant, spoken_for_in
from airy_ray.serve.api.origins import Origins
from airy_ray.serve.api.tokens import Tokens
from airy_ray.serve.http import (
    Receive,
    Response,
    Scope,
    Send,
    path_below,
    respond,
    run_lifespan,
)
from airy_ray.serve.realtime import PREFIX
from airy_ray.serve.realtime.connection import Connection
from airy_ray.serve.realtime.dialogues import Desk, Dialogue, Inbox, Visitor
from airy_ray.serve.realtime.hub import Hub
from airy_ray.serve.realtime.metrics import RealtimeMetrics
from airy_ray.serve.realtime.positions import Positions
from airy_ray.serve.realtime.presence import PresenceTracker
from airy_ray.serve.realtime.telling import ephemeral
from airy_ray.serve.realtime.wire import Wire
from airy_ray.stomp.reader import Bounds

logger = logging.getLogger(__name__)

COMMUNICATION = "/communication"
CHATPLUGIN = "/chatplugin"
_SUBPROTOCOLS = ("v12.stomp", "v11.stomp", "v10.stomp")
_TRY_AGAIN = 1013
_TICK_S = 1.0
_TICKS_PER_POSITIONS = 10
_TICKS_PER_CHECK = 15
_LATE = b"login=connect"
"""Says that a client tells in its CONNECT frame who it is: browsers send no headers of theirs."""
_IDENTIFYING = (b"authorization", b"cookie", b"origin", b"host", b"sec-fetch-site")
_HEAD_BYTES = 65_536
"""Positions of many partitions are long."""


class Realtime:
    """Serves `/ws.communication` and `/ws.chatplugin`."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._origins = Origins(settings.security.allowed_origins, settings.http.public_url)
        self._connections: dict[Connection, Dialogue] = {}
        self._machine: Machine | None = None
        self._desk: Desk | None = None
        self._listener: EphemeralListener | None = None
        self._callers: Callers | None = None
        self._tokens = Tokens(jwt_secret(settings))
        self._metrics: RealtimeMetrics | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket, a question after health, or the application's lifespan (ASGI)."""
        if scope["type"] == "websocket":
            await self._serve(scope, receive, send)
        elif scope["type"] == "http":
            is_health = path_below(scope, PREFIX) == "/health"
            refused = problems.problem(426, "a WebSocket is needed")
            await respond(send, Response(200) if is_health else refused)
        elif scope["type"] == "lifespan":
            await run_lifespan(receive, send, start=self._start, stop=self._stop)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # what asks to be let in
        try:
            dialogue = self._dialogue(scope)
        except AiryError:
            await send({"type": "websocket.close"})  # answers 403
            return
        accepted = next((each for each in scope["subprotocols"] if each in _SUBPROTOCOLS), None)
        await send({"type": "websocket.accept", "subprotocol": accepted})
        settings = self._settings.realtime
        wire = Wire(
            receive,
            message_bytes_max=settings.frame_bytes + _HEAD_BYTES,
            drain_s=settings.drain_s,
        )
        bounds = Bounds(head_bytes=_HEAD_BYTES, body_bytes=settings.frame_bytes)
        connection = Connection(wire, bounds, asyncio.get_running_loop().time())
        self._connections[connection] = dialogue
        try:
            await self._converse(connection, dialogue, receive)
        finally:
            del self._connections[connection]
            dialogue.leave(connection)
            wire.let_go()

    def _dialogue(self, scope: Scope) -> Dialogue:
        """Return how to talk with who asks to be let in.

        Raises:
            AiryError: they are not let in.
        """
        assert self._desk is not None  # clients come after the start
        path = path_below(scope, PREFIX)
        if path == CHATPLUGIN:
            return Visitor(self._desk)
        if path != COMMUNICATION:
            raise RequestError(404)
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _IDENTIFYING
        }
        return Inbox(
            self._desk, partial(self._granted, headers), is_late=scope["query_string"] == _LATE
        )

    def _granted(self, headers: Mapping[str, str], token: str | None) -> Grant:
        """Return what a client may do by its headers, or by a token that it gives instead.

        Raises:
            RequestError: authentication is on and this is nobody, or nobody any more.
        """
        assert self._callers is not None  # clients come after the start
        assert self._desk is not None
        told = headers if token is None else {"authorization": f"Bearer {token}"}
        grant = self._callers.grant(told)
        if grant.source is not None:
            spoken_for_in(self._desk.registry, grant)
        if grant.is_session and not self._origins.may_use_session(headers):
            raise RequestError(403)
        return grant

    async def _converse(self, connection: Connection, dialogue: Dialogue, receive: Receive) -> None:
        """Carry out a client's frames until it or we have enough."""
        loop = asyncio.get_running_loop()
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            connection.heard(loop.time())
            text = message.get("text")
            piece = message["bytes"] if text is None else text.encode()
            try:
                for frame in connection.session.frames(piece):
                    await dialogue.carry_out(connection, frame)
                    if connection.wire.is_closed:
                        return
            except ProtocolError as error:
                connection.fail(str(error))
                return
            except AiryError as error:
                connection.give_up(f"503 try again: {error}", _TRY_AGAIN)
                return

    async def _tick(self) -> None:
        """Look after the connections, once a second."""
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            ticks += 1
            try:
                await self._look_after(ticks)
            except Exception:  # whatever it is, heart-beats must go on
                logger.exception("looking after the connections failed")

    async def _look_after(self, ticks: int) -> None:
        """Send heart-beats and positions, and give up who is silent or may not be here any more."""
        assert self._desk is not None
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections):
            connection.beat(now)
        self._desk.presence.tick(now)
        self._check_grants(ticks)
        if ticks % _TICKS_PER_POSITIONS == 0:
            self._desk.hub.tell_positions()
        await self._measure()

    def _check_grants(self, ticks: int) -> None:
        """Close the connections of those whose token was revoked or whose session is over.

        Each time looks at some, for reading a token takes its time.
        """
        some = islice(self._connections.items(), ticks % _TICKS_PER_CHECK, None, _TICKS_PER_CHECK)
        for connection, dialogue in list(some):
            if not dialogue.is_let_in:
                connection.give_up("401 the token is not valid any more")

    async def _measure(self) -> None:
        assert self._desk is not None
        assert self._metrics is not None
        self._metrics.connections.set(len(self._connections))
        self._metrics.subscriptions.set(sum(len(each.subscriptions) for each in self._connections))
        waiting = (each.wire.waiting_bytes for each in self._connections)
        self._metrics.queue_bytes.set(max(waiting, default=0))
        self._metrics.behind.set(await self._desk.hub.behind())

    def _hear(self, told: Ephemeral) -> None:
        """Hand on what a process of this machine tells."""
        assert self._desk is not None  # it is heard after the start
        if isinstance(told, Presence):
            self._desk.presence.hear(told, asyncio.get_running_loop().time())
        else:
            self._desk.hub.tell_ephemeral(ephemeral(told))

    async def _start(self) -> None:
        log_to_stderr()
        machine = Machine(machine_spec(self._settings, self._layout), appends_seldom=True)
        self._machine = machine
        security, realtime = self._settings.security, self._settings.realtime
        token = security.system_token
        self._callers = Callers(
            None if token is None else token.get_secret_value(),
            self._tokens,
            api_token=machine.registry.token,
            has_login=security.oidc is not None,
        )
        self._metrics = RealtimeMetrics()
        feeds = Feeds(machine.spec.partitions, machine.partitions, machine.spec.run_directory)
        positions = Positions(self._layout.history, machine.partitions)
        hub = Hub(
            feeds,
            machine.partitions,
            positions,
            self._metrics,
            queue_bytes=realtime.queue_bytes,
            resume_events=realtime.resume_events,
        )
        await hub.start()
        sender = EphemeralSender(machine.spec.run_directory)
        process = f"{socket.gethostname()}-{os.getpid()}"
        self._desk = Desk(
            hub=hub,
            settings=realtime,
            partitions=Partitions(machine.partitions, machine.spec.count),
            registry=machine.registry,
            tokens=self._tokens,
            ephemeral=sender,
            presence=PresenceTracker(process, sender.tell, hub.tell_presence),
            metrics=self._metrics,
        )
        self._listener = EphemeralListener(machine.spec.run_directory, self._hear)
        self._ticking = asyncio.create_task(self._tick())
        collect_seldom()

    async def _stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        if self._listener is not None:
            self._listener.close()
        if self._desk is not None:
            self._desk.hub.stop()
            self._desk.ephemeral.close()
        if self._machine is not None:
            self._machine.close()
