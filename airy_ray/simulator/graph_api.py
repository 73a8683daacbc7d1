"""Meta's Graph API, played: what connecting and sending call (sources §1.4 ff, §3.5, §3.8).

Tokens are exchanged, pages listed and subscribed, messages taken, people told of, and errors have
Meta's form and texts.
"""

import json
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator import forms, graph_messages
from airy_ray.simulator.forms import Form
from airy_ray.simulator.graph_files import GraphFiles
from airy_ray.simulator.graph_messages import GraphError, invalid_token
from airy_ray.simulator.graph_past import Past
from airy_ray.simulator.graph_people import People
from airy_ray.simulator.intake import Intake

USER_TOKEN = "EAAsimulated"  # noqa: S105 - opens nothing but this server
"""A short-lived token of who may manage the pages."""
SYSTEM_USER_TOKEN = "EAAsystemuser"  # noqa: S105 - opens nothing but this server
"""One that lasts, and so cannot be exchanged."""

_LISTED_AT_ONCE = 25


class GraphApi:
    """Pages and phone numbers, and the tokens for them."""

    def __init__(
        self,
        pages: Sequence[str],
        *,
        app_id: str,
        app_secret: str,
        phone_numbers: Sequence[str] = (),
        other_apps: Collection[tuple[str, str]] = (),
    ) -> None:
        self.subscribed: set[str] = set()
        """Pages whose events an app gets."""
        self.intake = Intake()
        self.files = GraphFiles()
        """What pages and phone numbers gave before they sent messages that name it."""
        self.read: list[tuple[str, str]] = []
        """Messages that phone numbers said to have read: which of them, what."""
        self.people = People()
        """Who writes to the pages."""
        self.past = Past()
        """What was written to the pages before anybody asked."""
        self.on_instagram: set[str] = set()
        """The people who write on Instagram, whose answers have limits of their own."""
        self._pages = list(pages)
        self._phone_numbers = frozenset(phone_numbers)
        self._apps = {(app_id, app_secret), *other_apps}
        self._long_lived = _token("long-lived", app_id)
        self._page_of = {_token("page", page): page for page in pages}

    def exchange(self, query: dict[str, str]) -> dict[str, Any]:
        """Return a token that lasts for one that does not."""
        if (query.get("client_id"), query.get("client_secret")) not in self._apps:
            raise GraphError(1, "Error validating client secret.")
        if query.get("grant_type") != "fb_exchange_token":
            raise GraphError(100, "Invalid grant_type.")
        if query.get("fb_exchange_token") == SYSTEM_USER_TOKEN:
            raise GraphError(100, "The access token cannot be exchanged.")
        self._check_user(query.get("fb_exchange_token"))
        return {"access_token": self._long_lived, "token_type": "bearer", "expires_in": 5_183_944}

    def page(self, page: str, query: dict[str, str]) -> dict[str, Any]:
        """Return a page, with a token of its own; or a phone number."""
        self._check_user(query.get("access_token"))
        if page in self._phone_numbers:
            return {"id": page}
        if page not in self._pages:
            raise GraphError(
                100,
                f"Unsupported get request. Object with ID '{page}' does not exist, cannot be "
                "loaded due to missing permissions, or does not support this operation.",
                "GraphMethodException",
            )
        return self._shown(page)

    def node(self, identifier: str, token: str, query: dict[str, str]) -> dict[str, Any]:
        """Return whatever has an id: for a page's token a person, else what a user may see."""
        if token in self._page_of and identifier not in self._pages:
            return self.people.node(identifier, query.get("fields", "id,name"))
        return self.page(identifier, query)

    def conversations(self, token: str, query: dict[str, str]) -> dict[str, Any]:
        """Return the conversation of a page with a person."""
        return self.people.conversations(self._page_with(token), query)

    def threads(self, page: str, token: str, query: dict[str, str], url: str) -> dict[str, Any]:
        """Return some of the conversations of a page, and where the next ones are."""
        if self._page_with(token) != page:
            raise invalid_token()
        return self.past.threads(page, query, f"{url}?access_token={token}")

    def thread(self, thread: str, token: str, query: dict[str, str], url: str) -> dict[str, Any]:
        """Return some of the messages of a conversation, and where the next ones are."""
        page = self._page_with(token)
        return self.past.messages(page, thread, query, f"{url}?access_token={token}")

    def accounts(self, query: dict[str, str], url: str) -> dict[str, Any]:
        """Return some of the pages, and where the next ones are."""
        self._check_user(query.get("access_token"))
        after, limit = query.get("after", "0"), query.get("limit", str(_LISTED_AT_ONCE))
        if not after.isdigit() or not limit.isdigit():
            raise GraphError(100, "Invalid parameter")
        first, end = int(after), int(after) + int(limit)
        paging: dict[str, Any] = {"cursors": {"before": str(first), "after": str(end)}}
        if end < len(self._pages):
            token = query["access_token"]
            paging["next"] = f"{url}?access_token={token}&limit={limit}&after={end}"
        return {"data": [self._shown(page) for page in self._pages[first:end]], "paging": paging}

    def subscribe(self, query: dict[str, str]) -> dict[str, Any]:
        """Have the app get a page's events."""
        page = self._page_with(query.get("access_token", ""))
        if "messages" not in query.get("subscribed_fields", "").split(","):
            raise GraphError(100, "(#100) The parameter subscribed_fields is required.")
        self.subscribed.add(page)
        return {"success": True}

    def send(self, token: str, body: Any) -> dict[str, Any]:
        """Take a message of a page."""
        page = self._page_with(token)
        to, message = graph_messages.of_page(body)
        trouble = self.intake.meet(to)
        if trouble is not None:
            raise graph_messages.PAGE_REFUSALS[trouble]()
        is_on_instagram = to in self.on_instagram
        graph_messages.check(message, is_on_instagram=is_on_instagram)
        platform = "instagram" if is_on_instagram else "messenger"
        self.files.check_of_page(page, message, platform)
        known_as = _token(f"message {self.intake.count}", page).replace("EAA", "m_")
        self.intake.take(page, to, message, known_as)
        return {"recipient_id": to, "message_id": known_as}

    def send_from(self, number: str, token: str, body: Any) -> dict[str, Any]:
        """Take a message of a phone number in WhatsApp's Cloud API, or that one was read."""
        self._check_number(number, token)
        told = graph_messages.of_number(body)
        if told.get("status") == "read":
            self.read.append((number, str(told.get("message_id"))))
            return {"success": True}
        to = graph_messages.recipient_of(told)
        trouble = self.intake.meet(to)
        if trouble is not None:
            raise graph_messages.NUMBER_REFUSALS[trouble]()
        graph_messages.check_whatsapp(told)
        self.files.check_of_number(number, told)
        known_as = _token(f"message {self.intake.count}", number).replace("EAA", "wamid.")
        self.intake.take(number, to, told, known_as)
        contact = {"input": to, "wa_id": to}
        named = [{"id": known_as}]
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": named}

    def give(self, token: str, form: Form) -> dict[str, Any]:
        """Take a file of a page."""
        return self.files.take_of_page(self._page_with(token), form)

    def give_from(self, number: str, token: str, form: Form) -> dict[str, Any]:
        """Take a file of a phone number in WhatsApp's Cloud API."""
        self._check_number(number, token)
        return self.files.take_of_number(number, form)

    def _shown(self, page: str) -> dict[str, Any]:
        return {
            "id": page,
            "name_with_location_descriptor": f"Simulated page {page[-4:]}",
            "access_token": _token("page", page),
            "picture": {"data": {"url": f"https://scontent.example.org/{page}.jpg"}},
            "is_webhooks_subscribed": page in self.subscribed,
        }

    def _page_with(self, token: str) -> str:
        page = self._page_of.get(token)
        if page is None:
            raise invalid_token()
        return page

    def _check_number(self, number: str, token: str) -> None:
        self._check_user(token)
        if number not in self._phone_numbers:
            raise GraphError(100, f"Unsupported post request. Object with ID '{number}'")

    def _check_user(self, token: str | None) -> None:
        if token not in (USER_TOKEN, SYSTEM_USER_TOKEN, self._long_lived):
            raise invalid_token()


def application(api: GraphApi, others: Sequence[Route] = ()) -> Starlette:
    """Return the API as an ASGI application, for any version of it, beside those of others."""

    async def exchange(request: Request) -> JSONResponse:
        return JSONResponse(api.exchange(dict(request.query_params)))

    async def accounts(request: Request) -> JSONResponse:
        url = str(request.url.replace(query=""))
        return JSONResponse(api.accounts(dict(request.query_params), url))

    async def subscribe(request: Request) -> JSONResponse:
        return JSONResponse(api.subscribe(dict(request.query_params)))

    async def send(request: Request) -> Response:
        told = api.send(_bearer(request), await _read(request))
        return await api.intake.answer(told["recipient_id"], told)

    async def send_from(request: Request) -> Response:
        number = request.path_params["number"]
        told = api.send_from(number, _bearer(request), await _read(request))
        if "contacts" not in told:  # what was read is told, and no message
            return JSONResponse(told)
        return await api.intake.answer(told["contacts"][0]["input"], told)

    async def give(request: Request) -> JSONResponse:
        return await api.files.answer(api.give(_bearer(request), await forms.read(request)))

    async def give_from(request: Request) -> JSONResponse:
        number, form = request.path_params["number"], await forms.read(request)
        return await api.files.answer(api.give_from(number, _bearer(request), form))

    async def conversations(request: Request) -> JSONResponse:
        return JSONResponse(api.conversations(_token_of(request), dict(request.query_params)))

    async def threads(request: Request) -> JSONResponse:
        page, url = request.path_params["page"], str(request.url.replace(query=""))
        told = api.threads(page, _token_of(request), dict(request.query_params), url)
        await api.past.answering()
        return JSONResponse(told)

    async def thread(request: Request) -> JSONResponse:
        known_as, url = request.path_params["thread"], str(request.url.replace(query=""))
        told = api.thread(known_as, _token_of(request), dict(request.query_params), url)
        await api.past.answering()
        return JSONResponse(told)

    async def node(request: Request) -> JSONResponse:
        identifier, query = request.path_params["node"], dict(request.query_params)
        return JSONResponse(api.node(identifier, _token_of(request), query))

    return Starlette(
        routes=[
            *others,
            Route("/{version}/oauth/access_token", exchange),
            Route("/{version}/me/accounts", accounts),
            Route("/{version}/me/subscribed_apps", subscribe, methods=["POST"]),
            Route("/{version}/me/messages", send, methods=["POST"]),
            Route("/{version}/me/message_attachments", give, methods=["POST"]),
            Route("/{version}/{number}/messages", send_from, methods=["POST"]),
            Route("/{version}/{number}/media", give_from, methods=["POST"]),
            Route("/{version}/{thread}/messages", thread),
            Route("/{version}/me/conversations", conversations),
            Route("/{version}/{page}/conversations", threads),
            Route("/{version}/{node}", node),
        ],
        exception_handlers={GraphError: _refuse, 404: _unknown, 405: _unknown},
    )


class _Server(uvicorn.Server):
    """Says when it stops: before it waits for the requests that are underway."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)


class GraphServer:
    """Serves the API, and others beside it, on a thread, in the foreground or in a loop.

    `on_stop` has requests end that would last.

    Raises:
        OSError: it cannot listen at `port`; 0 is any that is free.
    """

    def __init__(
        self,
        api: GraphApi,
        port: int,
        others: Sequence[Route] = (),
        *,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(application(api, others), log_level="error")
        self._server = _Server(config, on_stop)
        self._thread = threading.Thread(target=self.serve, name="graph-api", daemon=True)

    def serve(self) -> None:
        """Serve until it is stopped or, in the foreground, until SIGINT or SIGTERM."""
        self._server.run(sockets=[self._socket])

    async def serve_here(self) -> None:
        """Serve in the running loop until it is stopped or, on the main thread, as `serve`."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Have it stop."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        """Start; calls that come sooner wait."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()
        self._thread.join()
        self._socket.close()


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _token_of(request: Request) -> str:
    return _bearer(request) or request.query_params.get("access_token", "")


async def _read(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise GraphError(100, "(#100) The request is no JSON.") from None


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GraphError)
    told = {
        "message": error.text,
        "type": error.kind,
        "code": error.code,
        "fbtrace_id": "AbC1dEf2GhI",
    }
    if error.subcode is not None:
        told["error_subcode"] = error.subcode
    headers = {} if error.after_s is None else {"retry-after": str(error.after_s)}
    return JSONResponse({"error": told}, status_code=error.status, headers=headers)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    return await _refuse(request, GraphError(2500, f"Unknown path components: {request.url.path}"))


def _token(kind: str, of: str) -> str:
    return "EAA" + blake2b(f"{kind} {of}".encode(), digest_size=12).hexdigest()
