"""The Realtime application: lets clients in, carries out their frames, keeps them alive."""

import asyncio
import logging
from collections.abc import Mapping

from airy_ray.cluster.feeds import Feeds
from airy_ray.cluster.layout import Layout, jwt_secret
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.machine import Machine, machine_spec
from airy_ray.config import Settings
from airy_ray.errors import AiryError, ProtocolError, RequestError
from airy_ray.serve import problems
from airy_ray.serve.api.callers import Callers, Grant
from airy_ray.serve.api.origins import Origins
from airy_ray.serve.api.tokens import Tokens
from airy_ray.serve.garbage import collect_seldom
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
from airy_ray.serve.realtime.dialogues import Dialogue, Inbox, Visitor
from airy_ray.serve.realtime.hub import Hub
from airy_ray.serve.realtime.metrics import RealtimeMetrics
from airy_ray.serve.realtime.positions import Positions
from airy_ray.serve.realtime.wire import Wire
from airy_ray.stomp.reader import Bounds

logger = logging.getLogger(__name__)

COMMUNICATION = "/communication"
CHATPLUGIN = "/chatplugin"
_SUBPROTOCOLS = ("v12.stomp", "v11.stomp", "v10.stomp")
_TICK_S = 1.0
_TICKS_PER_POSITIONS = 10
_HEAD_BYTES = 65_536
"""Positions of many partitions are long."""


class Realtime:
    """Serves `/ws.communication` and `/ws.chatplugin`."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._origins = Origins(settings.security.allowed_origins, settings.http.public_url)
        self._connections: set[Connection] = set()
        self._machine: Machine | None = None
        self._hub: Hub | None = None
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
        self._connections.add(connection)
        try:
            await self._converse(connection, dialogue, receive)
        finally:
            self._connections.discard(connection)
            dialogue.leave(connection)

    def _dialogue(self, scope: Scope) -> Dialogue:
        """Return how to talk with who asks to be let in.

        Raises:
            AiryError: they are not let in.
        """
        assert self._hub is not None  # clients come after the start
        assert self._machine is not None
        path = path_below(scope, PREFIX)
        settings = self._settings.realtime
        if path == CHATPLUGIN:
            return Visitor(self._hub, settings, self._tokens)
        if path != COMMUNICATION:
            raise RequestError(404)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        grant = self._granted(headers)
        return Inbox(self._hub, settings, grant, self._machine.registry)

    def _granted(self, headers: Mapping[str, str]) -> Grant:
        assert self._callers is not None
        grant = self._callers.grant(headers)
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

    async def _tick(self) -> None:
        """Send heart-beats and positions, and give up who is silent."""
        assert self._hub is not None
        assert self._metrics is not None
        loop = asyncio.get_running_loop()
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            ticks += 1
            now = loop.time()
            for connection in list(self._connections):
                connection.beat(now)
            if ticks % _TICKS_PER_POSITIONS == 0:
                self._hub.tell_positions()
            self._metrics.connections.set(len(self._connections))

    async def _start(self) -> None:
        log_to_stderr()
        machine = Machine(machine_spec(self._settings, self._layout))
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
        self._hub = Hub(
            feeds,
            machine.partitions,
            positions,
            self._metrics,
            queue_bytes=realtime.queue_bytes,
            resume_events=realtime.resume_events,
        )
        await self._hub.start()
        self._ticking = asyncio.create_task(self._tick())
        collect_seldom()

    async def _stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        if self._hub is not None:
            self._hub.stop()
        if self._machine is not None:
            self._machine.close()
