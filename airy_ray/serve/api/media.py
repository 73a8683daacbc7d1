"""`media.*`: files of messages, uploaded and fetched (contract: §7.12, sources §10)."""

import asyncio
import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO

from airy_ray.cluster.media import kinds
from airy_ray.cluster.media.store import NAME, PATH, name_of
from airy_ray.cluster.media.upload import Upload
from airy_ray.errors import PayloadError, RequestError, StorageError
from airy_ray.model import json_text
from airy_ray.serve.api.endpoint import FileEndpoint, aliases
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.public_url import public_url
from airy_ray.serve.api.tokens import bearer
from airy_ray.serve.http import Receive, Request, Response, Streamed
from airy_ray.serve.media import ranges
from airy_ray.serve.media.uploads import check_announced, receive_upload

logger = logging.getLogger(__name__)

_FORM = "multipart/form-data"


async def upload(platform: Platform, caller: Caller, receive: Receive) -> Response:
    """Keep a file, and tell where anybody can fetch it.

    The same bytes with the same extension get the same address. With authentication on, a visitor's
    token is enough: the chat plugin sends files too. One that sends none gets 403, as the contract.
    An `Idempotency-Key` stands for one file: its bytes and its extension.
    A file stays, unless a rule of retention takes away all that links to it.
    Messages link to it in their source's own form. WhatsApp, Messenger, Instagram and Telegram are
    given the bytes; platforms that take links only have to reach the address.
    """
    content_type = caller.headers.get("content-type", "")
    if not content_type.lower().startswith(_FORM):
        raise RequestError(415, f"the body has to be {_FORM}")
    _ = caller.key  # a wrong one is refused before the file comes
    media = platform.settings.media
    check_announced(caller.headers.get("content-length", ""), media.max_bytes)
    try:
        with await asyncio.to_thread(_nameless, platform.settings.data) as file:
            taken = await receive_upload(
                content_type, receive, file=file, bytes_max=media.max_bytes
            )
            return await _kept(platform, caller, taken)
    except PayloadError as error:
        raise _failed(str(error)) from None
    except (StorageError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        logger.warning("a file could not be stored: %s", reason)
        raise _failed(reason or type(error).__name__) from error


async def _kept(platform: Platform, caller: Caller, taken: Upload) -> Response:
    if not taken.name:
        raise RequestError(422, "Request is missing original file name")
    # what is asked for is told by the name: boundaries of forms are different each time
    await platform.claim(replace(caller, body=name_of(taken).encode()))
    name = await platform.media.keep(taken)
    await platform.media.settle(name)
    url = platform.media.url(name, public_url(platform.settings, caller.headers))
    return Response(body=json_text.encode({"media_url": url}))


async def download(platform: Platform, request: Request) -> Streamed:
    """Return a file that was uploaded, or a part of it.

    Open to everybody, for platforms and visitors fetch it: its name is a digest of what is in it,
    which nobody guesses. What a browser could run is never shown as a page of this host.
    """
    name = request.path.removeprefix(PATH)
    if NAME.fullmatch(name) is None:
        raise RequestError(404, "no such file")
    if request.method not in ("GET", "HEAD"):
        raise RequestError(405, "files are fetched with GET")
    size = await platform.media.size(name)
    if size is None:
        raise RequestError(404, "no such file")
    tag = f'"{name}"'
    headers = [
        (b"etag", tag.encode()),
        (b"cache-control", b"public, max-age=31536000, immutable"),
        (b"vary", b"origin"),  # a copy without what lets pages read it is none for pages
        (b"accept-ranges", b"bytes"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"sandbox; default-src 'none'; style-src 'unsafe-inline'"),
    ]
    if _is_known(request.headers.get("if-none-match"), tag):
        return Streamed(304, headers)
    try:
        part = ranges.wanted(_range(request, tag), size)
    except ranges.UnsatisfiableError:
        return Streamed(416, [*headers, (b"content-range", f"bytes */{size}".encode())], 0)
    kind = await platform.media.kind(name, size)
    disposition = b"inline" if kinds.is_shown(kind) else b"attachment"
    headers += [(b"content-type", kind.encode()), (b"content-disposition", disposition)]
    status = 200
    if part is None:
        part = range(size)
    else:
        status = 206
        told = f"bytes {part.start}-{part.stop - 1}/{size}"
        headers.append((b"content-range", told.encode()))
    pieces = platform.media.read(name, part) if request.method == "GET" else None
    return Streamed(status, headers, len(part), pieces)


def _nameless(directory: Path) -> IO[bytes]:
    """Return a file that nothing is left of when it is closed, or after a crash."""
    return tempfile.TemporaryFile(dir=directory)  # /tmp may be memory


def _failed(reason: str) -> RequestError:
    return RequestError(400, f"Media Upload failed with error: {reason}")


def visitor(platform: Platform, request: Request) -> str:
    """Return which visitor of a website calls: they may upload files too.

    Raises:
        RequestError: 403 without a body, it is none.
    """
    token = bearer(request.headers.get("authorization"))
    if token is None:
        raise RequestError(403)
    try:
        return platform.tokens.read_visit(token).conversation_id
    except RequestError:
        raise RequestError(403) from None


def _range(request: Request, tag: str) -> str | None:
    """Return the part asked for, if that holds for the file as it is (it never changes)."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition in (None, tag) else None


def _is_known(header: str | None, tag: str) -> bool:
    """Whether the caller has the file already."""
    tags = [each.strip().removeprefix("W/") for each in (header or "").split(",")]
    return tag in tags or "*" in tags


FILE_ENDPOINTS = aliases(
    FileEndpoint("/media.upload", upload, "Upload a file"), "/media.uploadFile"
)
