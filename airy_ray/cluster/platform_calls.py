"""Calls to messaging platforms: what came of one, also if that was nothing.

Who never got the request cannot have taken the message; who got it and did not answer may have.
"""

import asyncio
import ssl
from collections import defaultdict
from functools import cache
from typing import TypeVar
from urllib.request import getproxies

import aiohttp
import certifi
import msgspec
from aiohttp import MultipartWriter

from airy_ray.cluster import forms
from airy_ray.cluster.our_files import OurFiles
from airy_ray.model.ids import ChannelId
from airy_ray.sources.sending import (
    Authorized,
    Call,
    Later,
    Outbound,
    Refused,
    Reply,
    Sending,
    Taken,
    Verdict,
)

V = TypeVar("V", bound=Verdict)

_ANSWER_BYTES_MAX = 1 << 16
_IDLE_S = 3.0
"""How long a connection is kept that nobody uses: common servers close theirs after 5 s, and what
is called just then is uncertain."""
_RENEW_S = 60.0
"""How long before a token expires another is asked for."""
_UNAUTHORIZED = 401


class PlatformCalls:
    """Makes calls, with the tokens that they need; used in one event loop.

    How many are made at once is bounded by who makes them: nobody waits here for others' calls.
    What answers are longer than `answer_bytes_max` is left out.

    Args:
        files: what forms may have in them.
    """

    def __init__(
        self, files: OurFiles | None = None, *, answer_bytes_max: int = _ANSWER_BYTES_MAX
    ) -> None:
        self._files = files
        self._answer_bytes_max = answer_bytes_max
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S, ssl=trust())
        self._http = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=bool(getproxies()),  # else each call would look for a ~/.netrc
        )
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
            answer = sending.authorized(reply) if isinstance(reply, Reply) else reply
            if isinstance(answer, Authorized):
                self._tokens[kept_as] = answer.token, now_s + answer.lasts_s - _RENEW_S
                return answer.token
            return answer

    async def made(self, call: Call, *, is_deduplicating: bool) -> Reply | Refused | Later:
        """Make a call; return its answer, or what it means that there is none."""
        wait = aiohttp.ClientTimeout(  # connecting has its own: who is not reached took nothing
            total=2 * call.wait_s, connect=call.wait_s, sock_read=call.wait_s
        )
        headers, data = self._written(call)
        try:
            async with self._http.request(
                call.method,
                call.url,
                headers=headers,
                data=data,
                skip_auto_headers=("content-type",),
                timeout=wait,
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except (ValueError, aiohttp.NonHttpUrlClientError) as error:  # no address, or no header
            return Refused(told(error))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Later(told(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            if is_deduplicating:
                return Later(told(error))
            return Refused(f"delivery uncertain: {told(error)}")
        told_with = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, body[: self._answer_bytes_max], told_with)

    def distrust(self, source: str, channel: ChannelId, token: str, reply: Reply) -> bool:
        """Return whether an answer says that a token is not good any more; another is asked for."""
        is_refused = reply.status == _UNAUTHORIZED
        kept, _ = self._tokens.get((source, channel), ("", 0.0))
        if is_refused and kept == token:  # or it was another message's call that found out
            del self._tokens[source, channel]
        return is_refused

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    def _written(self, call: Call) -> tuple[dict[str, str], bytes | MultipartWriter | None]:
        """Return a call's headers, and what is written after them."""
        if call.form is None:
            return call.headers, call.body or None
        assert self._files is not None  # who finds files has them
        form = forms.written(call.form, self._files)
        return {**call.headers, "content-type": form.content_type}, form


def without(token: str, verdict: V) -> V:
    """Return a verdict that does not tell the token: platforms quote it in their errors."""
    if isinstance(verdict, Taken) or not token:
        return verdict
    answer = None if verdict.answer is None else verdict.answer.replace(token, "…")
    reason = verdict.reason.replace(token, "…")
    return msgspec.structs.replace(verdict, reason=reason, answer=answer)


@cache
def trust() -> ssl.SSLContext:
    """Return whom to trust: those that the machine does, and, as it may know nobody, Mozilla."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def told(error: Exception) -> str:
    """Return what went wrong without the address that was called: there may be a token in it."""
    reason = str(error)
    if isinstance(error, aiohttp.InvalidURL):
        reason = error.description or ""
    elif isinstance(error, aiohttp.NonHttpUrlClientError):
        reason = ""
    elif isinstance(error, aiohttp.ClientResponseError):
        reason = error.message
    return f"{type(error).__name__}: {reason}".rstrip(": ")
