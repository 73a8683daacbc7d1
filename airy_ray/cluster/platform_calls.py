"""Calls to messaging platforms: what came of one, also if that was nothing.

Who never got the request cannot have taken the message; who got it and did not answer may have.
"""

import asyncio
from collections import defaultdict

import httpx

from airy_ray.model.ids import ChannelId
from airy_ray.sources.sending import Authorized, Call, Later, Outbound, Refused, Reply, Sending

_ANSWER_BYTES_MAX = 1 << 16
_AT_ONCE = 256
_RENEW_S = 60.0
"""How long before a token expires another is asked for."""
_UNAUTHORIZED = 401


class PlatformCalls:
    """Makes calls, with the tokens that they need; used in one event loop."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
        self._http = httpx.AsyncClient(limits=limits)
        self._tokens: dict[tuple[str, ChannelId], tuple[str, float]] = {}
        self._asking: dict[tuple[str, ChannelId], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def token(
        self, source: str, channel: ChannelId, sending: Sending, message: Outbound
    ) -> str | Refused | Later:
        """Return the token to call with: the channel's, or one that the source is asked for.

        Raises:
            DeliveryError: we have no credentials.
        """
        kept_as = source, channel
        async with self._asking[kept_as]:
            token, until_s = self._tokens.get(kept_as, ("", 0.0))
            now_s = asyncio.get_running_loop().time()
            if now_s < until_s:
                return token
            call = sending.authorization(message.channel, message.at)
            if call is None:
                return message.token
            reply = await self.made(call, is_deduplicating=True)
            told = sending.authorized(reply) if isinstance(reply, Reply) else reply
            if isinstance(told, Authorized):
                self._tokens[kept_as] = told.token, now_s + told.lasts_s - _RENEW_S
                return told.token
            return told

    async def made(self, call: Call, *, is_deduplicating: bool) -> Reply | Refused | Later:
        """Make a call; return its answer, or what it means that there is none."""
        try:
            response = await self._http.request(
                call.method,
                call.url,
                headers=call.headers,
                content=call.body,
                timeout=call.wait_s,
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            return Refused(_told(error))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Later(_told(error))
        except httpx.HTTPError as error:
            if is_deduplicating:
                return Later(_told(error))
            return Refused(f"delivery uncertain: {_told(error)}")
        body = response.content[:_ANSWER_BYTES_MAX]
        return Reply(response.status_code, body, dict(response.headers))

    def distrust(self, source: str, channel: ChannelId, reply: Reply) -> None:
        """Ask for another token if an answer says that it is not good any more."""
        if reply.status == _UNAUTHORIZED:
            self._tokens.pop((source, channel), None)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
