"""Meta and Google, played by a process of their own; they say when each message came and was taken.

Every message is answered after 50 ms. Google can be held up: then it answers nothing at all until
it is let go on, and of what came meanwhile takes nothing. Its tokens always come.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from airy_ray.serve.ports import free_port
from airy_ray.simulator.graph_api import USER_TOKEN, GraphApi, GraphServer
from benchmarks.measuring import BenchmarkError
from benchmarks.system import APP_SECRET, answers_on, running, wait_until

APP_ID = "490000000000001"
PAGE_TOKEN = USER_TOKEN
ANSWERS_S = 0.05

_READY_S = 30.0
_ANSWER_S = 30.0


class Played:
    """The process, as who measures calls it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=_ANSWER_S)

    @property
    def settings(self) -> dict[str, Any]:
        """What a platform has to be told to send here."""
        app = {"app_id": APP_ID, "app_secret": APP_SECRET, "api_url": self.url}
        google = {
            "partner_key": APP_SECRET,
            "sa_file": _service_account(self.url),
            "api_url": self.url,
        }
        return {"sources": {"facebook": app, "google": google}}

    def page_token(self, page: str) -> str:
        """Return what a page calls with."""
        told = self._http.get(f"/v25.0/{page}", params={"access_token": USER_TOKEN}).json()
        token: str = told["access_token"]
        return token

    def came_at_ns(self, source: str) -> dict[str, int]:
        """Return when each message first came, by its text, on the machine's monotonic clock."""
        return self._told(source, "came")

    def taken_at_ns(self, source: str) -> dict[str, int]:
        """Return when the answer to each message that was taken went out, by its text."""
        return self._told(source, "taken")

    def wait_until_taken(self, source: str, messages: int, *, timeout_s: float) -> None:
        """Wait until so many messages were taken.

        Raises:
            BenchmarkError: that takes longer.
        """
        self._reach(source, "taken", messages, timeout_s)

    def wait_until_called(self, source: str, messages: int, *, timeout_s: float) -> None:
        """Wait until so many messages have come, taken or not.

        Raises:
            BenchmarkError: that takes longer.
        """
        self._reach(source, "came", messages, timeout_s)

    def forget(self, source: str) -> None:
        """Forget what came and was taken: who counts begins anew."""
        self._http.post(f"/played/{source}/forget").raise_for_status()

    def hold_up(self) -> None:
        """Have Google answer nothing."""
        self._http.post("/played/hold-up").raise_for_status()

    def let_go_on(self) -> None:
        """Have Google answer again."""
        self._http.post("/played/let-go-on").raise_for_status()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _reach(self, source: str, what: str, messages: int, timeout_s: float) -> None:
        try:
            self._http.get(f"/played/{source}/{what}/{messages}", timeout=timeout_s)
        except httpx.TimeoutException:
            had = len(self._told(source, what))
            problem = f"{source}: {had} of {messages} messages {what} within {timeout_s:g} s"
            raise BenchmarkError(problem) from None

    def _told(self, source: str, what: str) -> dict[str, int]:
        told: dict[str, int] = self._http.get(f"/played/{source}/{what}").json()
        return told


@contextlib.contextmanager
def played(pages: Sequence[str]) -> Iterator[Played]:
    """Play the platforms in a process of their own until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.played", str(port), *pages]
    with running(command) as process:
        wait_until(
            lambda: answers_on(port), "played platforms", timeout_s=_READY_S, process=process
        )
        found = Played(f"http://127.0.0.1:{port}")
        with contextlib.closing(found):
            yield found


def _service_account(url: str) -> str:
    """Return the JSON of a service account whose tokens come from an address."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "client_email": "courier@played.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "token_uri": f"{url}/token",
    }
    return json.dumps(account)


# --- the process ----------------------------------------------------------------------------------


class _Platforms:
    """What came and what was taken, and whether Google is held up."""

    def __init__(self, api: GraphApi) -> None:
        self._api = api
        self._noted: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        self._has_news = asyncio.Condition()
        self._held_up: asyncio.Event | None = None

    @property
    def routes(self) -> list[Route]:
        """Their messages, and how they are watched and held up."""
        return [
            _post("/{version}/me/messages", self._facebook),
            _post("/v1/conversations/{conversation}/messages", self._google),
            _post("/token", self._token),
            _post("/played/{source}/forget", self._forget),
            _post("/played/hold-up", self._hold_up),
            _post("/played/let-go-on", self._let_go_on),
            Route("/played/{source}/{what}", self._tell),
            Route("/played/{source}/{what}/{messages:int}", self._reach),
        ]

    async def _facebook(self, request: Request) -> JSONResponse:
        body = await request.json()
        text = body["message"]["text"]
        await self._note("facebook", "came", text)
        await asyncio.sleep(ANSWERS_S)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        answer = self._api.send(token, body)
        await self._note("facebook", "taken", text)
        return JSONResponse(answer)

    async def _google(self, request: Request) -> JSONResponse:
        body = await request.json()
        text = body["text"]
        await self._note("google", "came", text)
        if self._held_up is not None:
            await self._held_up.wait()
            return JSONResponse({"error": {"message": "The service is unavailable."}}, 503)
        await asyncio.sleep(ANSWERS_S)
        await self._note("google", "taken", text)
        return JSONResponse({"messageId": body["messageId"]})

    async def _token(self, request: Request) -> JSONResponse:
        return JSONResponse({"access_token": "ya29.played", "expires_in": 3_599})

    async def _forget(self, request: Request) -> JSONResponse:
        for what in ("came", "taken"):
            self._noted[request.path_params["source"], what].clear()
        return JSONResponse({})

    async def _hold_up(self, request: Request) -> JSONResponse:
        self._held_up = asyncio.Event()
        return JSONResponse({})

    async def _let_go_on(self, request: Request) -> JSONResponse:
        if self._held_up is not None:
            self._held_up.set()
            self._held_up = None
        return JSONResponse({})

    async def _tell(self, request: Request) -> JSONResponse:
        named = request.path_params
        return JSONResponse(self._noted[named["source"], named["what"]])

    async def _reach(self, request: Request) -> JSONResponse:
        named = request.path_params
        noted = self._noted[named["source"], named["what"]]
        async with self._has_news:
            await self._has_news.wait_for(lambda: len(noted) >= named["messages"])
        return JSONResponse({})

    async def _note(self, source: str, what: str, text: str) -> None:
        self._noted[source, what].setdefault(text, time.monotonic_ns())
        async with self._has_news:
            self._has_news.notify_all()


def _post(path: str, handle: Callable[[Request], Awaitable[JSONResponse]]) -> Route:
    return Route(path, handle, methods=["POST"])


def main(port: str, *pages: str) -> None:
    """Play the platforms until SIGTERM."""
    api = GraphApi(pages, app_id=APP_ID, app_secret=APP_SECRET)
    GraphServer(api, int(port), _Platforms(api).routes).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
