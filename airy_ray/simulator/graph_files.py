"""Files given to Meta before messages name them, and what it refuses (sources §1.5, §2, §3.6)."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from starlette.responses import JSONResponse

from airy_ray.simulator.forms import File, Form
from airy_ray.simulator.graph_messages import NUMBER_REFUSALS, PAGE_REFUSALS, GraphError
from airy_ray.simulator.intake import Trouble

_MB = 1 << 20
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ON_WHATSAPP = {
    "image": (5 * _MB, ("image/jpeg", "image/png")),
    "sticker": (500 << 10, ("image/webp",)),
    "video": (16 * _MB, ("video/mp4", "video/3gpp")),
    "audio": (
        16 * _MB,
        ("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus"),
    ),
    "document": (
        100 * _MB,
        (
            *("application/vnd.ms-powerpoint", "application/msword", "application/vnd.ms-excel"),
            *(f"{_OFFICE}wordprocessingml.document", f"{_OFFICE}presentationml.presentation"),
            *(f"{_OFFICE}spreadsheetml.sheet", "application/pdf", "text/plain"),
        ),
    ),
}
_PAGE_BYTES_MAX = 25 * _MB
_INSTAGRAM_IMAGE_BYTES_MAX = 8 * _MB
_PAGE_KINDS = ("image", "audio", "video", "file")


@dataclass(frozen=True, slots=True)
class Given:
    """A file that Meta was given: by whom, what it is, and for which of its platforms."""

    owner: str
    kind: str
    file: File
    platform: str


class GraphFiles:
    """Files by what they are called since they were given; used from any thread."""

    def __init__(self) -> None:
        self.given: dict[str, Given] = {}
        self.asked = 0
        """How often one came, taken or not."""
        self.troubles: deque[Trouble] = deque()
        """What goes wrong with the next ones, each once."""
        self._held: Future[None] | None = None

    def hold(self) -> Future[None]:
        """Keep the answers to files from now on until what is returned is done."""
        self._held = held = Future[None]()
        return held

    async def answer(self, told: dict[str, Any]) -> JSONResponse:
        """Return what is told of a file that was taken, when it is told."""
        if self._held is not None:
            await asyncio.wrap_future(self._held)
        return JSONResponse(told)

    def take_of_number(self, number: str, form: Form) -> dict[str, Any]:
        """Take a file of a phone number on WhatsApp."""
        self._meet(NUMBER_REFUSALS)
        if form.fields.get("messaging_product") != "whatsapp":
            raise GraphError(100, "(#100) The parameter messaging_product is required.")
        file = _file(form, "file")
        kind = next((k for k, (_, kinds) in _ON_WHATSAPP.items() if file.kind in kinds), None)
        if kind is None or form.fields.get("type", file.kind) != file.kind:
            known = ", ".join(each for _, kinds in _ON_WHATSAPP.values() for each in kinds)
            raise GraphError(
                100,
                f"(#100) Param file must be a file with one of the following types: {known}. "
                f"Received file of type '{file.kind}'.",
            )
        if len(file.content) > _ON_WHATSAPP[kind][0]:
            raise GraphError(100, "(#100) Param file: File size too large.")
        return {"id": self._keep(Given(number, kind, file, "whatsapp"))}

    def take_of_page(self, page: str, form: Form) -> dict[str, Any]:
        """Take a file of a page, for Messenger or Instagram."""
        self._meet(PAGE_REFUSALS)
        kind = _attachment_kind(form.fields.get("message", ""))
        platform = form.fields.get("platform", "messenger")
        file = _file(form, "filedata")
        if kind != "file" and not file.kind.startswith(f"{kind}/"):
            raise GraphError(100, "(#100) Upload attachment failure.", subcode=2018047)
        is_picture = (platform, kind) == ("instagram", "image")
        if len(file.content) > (_INSTAGRAM_IMAGE_BYTES_MAX if is_picture else _PAGE_BYTES_MAX):
            problem = "(#100) Attachment size exceeds allowable limit."
            raise GraphError(100, problem, subcode=2018109)
        return {"attachment_id": self._keep(Given(page, kind, file, platform))}

    def check_of_number(self, number: str, told: dict[str, Any]) -> None:
        """Raise what is wrong with the files that a message on WhatsApp names."""
        for kind, part in _parts(told):
            name, link = part.get("id"), part.get("link")
            if (name is None) == (link is None):
                raise GraphError(100, f"(#100) Param {kind} needs either an id or a link.")
            given = self.given.get(str(name))
            if name is not None and (given is None or given.owner != number):
                raise GraphError(131009, "(#131009) Parameter value is not valid")
            if given is not None and given.kind != kind:
                raise GraphError(131053, "(#131053) Media upload error")

    def check_of_page(self, page: str, message: dict[str, Any], platform: str) -> None:
        """Raise what is wrong with the file that a page's message names."""
        attachment = message.get("attachment")
        payload = attachment.get("payload") if isinstance(attachment, dict) else None
        kind = attachment.get("type") if isinstance(attachment, dict) else None
        if kind not in _PAGE_KINDS:
            return
        named = payload if isinstance(payload, dict) else {}
        if ("url" in named) == ("attachment_id" in named):
            raise GraphError(100, "(#100) Param message[attachment][payload] needs a url or an id.")
        if "url" in named:
            return
        given = self.given.get(str(named["attachment_id"]))
        if given is None or (given.owner, given.kind, given.platform) != (page, kind, platform):
            problem = "(#100) Possible invalid ID or you do not own the attachment."
            raise GraphError(100, problem, subcode=2018074)

    def _meet(self, refusals: Mapping[Trouble, Callable[[], GraphError]]) -> None:
        self.asked += 1
        if self.troubles:
            raise refusals[self.troubles.popleft()]()

    def _keep(self, given: Given) -> str:
        digest = blake2b(f"file {len(self.given)}".encode(), digest_size=6).digest()
        name = str(int.from_bytes(digest, "big"))
        self.given[name] = given
        return name


def _file(form: Form, name: str) -> File:
    file = form.files.get(name)
    if file is None or not file.name or not file.content:
        raise GraphError(100, f"(#100) The parameter {name} is required.")
    return file


def _attachment_kind(message: str) -> str:
    try:
        kind = json.loads(message)["attachment"]["type"]
    except (ValueError, KeyError, TypeError):
        raise GraphError(100, "(#100) The parameter message is required.") from None
    if kind not in _PAGE_KINDS:
        raise GraphError(
            100, "(#100) Param message[attachment][type] must be one of its kinds."
        ) from None
    return str(kind)


def _parts(told: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a message shows of files, wherever: its kind, and the id or link."""
    if isinstance(told, list):
        for each in told:
            yield from _parts(each)
    if not isinstance(told, dict):
        return
    for name, value in told.items():
        if name in _ON_WHATSAPP and isinstance(value, dict):
            yield name, value
        else:
            yield from _parts(value)
