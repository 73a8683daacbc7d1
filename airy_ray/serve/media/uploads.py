"""A file taken out of a `multipart/form-data` body while that comes in.

At most a megabyte of it is in memory at a time. What it is called and what is in it are the
sender's: nothing here trusts them.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from airy_ray.cluster.media.upload import Upload
from airy_ray.errors import PayloadError, RequestError
from airy_ray.serve.http import Receive

_BLOCK_BYTES = 1 << 20
_AROUND_BYTES = 1 << 16
"""How much a body may be larger than its file: boundaries, headers, other small fields."""

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # its warnings quote what came


async def receive_upload(
    content_type: str, receive: Receive, *, file: IO[bytes], bytes_max: int
) -> Upload:
    """Write the part `file` of a form into `file`; other parts are passed over.

    Raises:
        PayloadError: the body is no such form, is cut off, or has no part `file`.
        RequestError: 413, it is too large.
    """
    form = _Form(content_type, file)
    body_bytes = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PayloadError("the body is incomplete")
        part = message.get("body", b"")
        body_bytes += len(part)
        if body_bytes > bytes_max + _AROUND_BYTES:
            raise too_large(bytes_max)
        form.feed(part)
        more = message.get("more_body", False)
        if len(form.pending) >= _BLOCK_BYTES or not more:
            await asyncio.to_thread(form.flush)
    upload = form.finished()
    if upload.size > bytes_max:
        raise too_large(bytes_max)
    return upload


def check_announced(content_length: str, bytes_max: int) -> None:
    """Refuse a body that says beforehand that it is too large."""
    if content_length.isdecimal() and int(content_length) > bytes_max + _AROUND_BYTES:
        raise too_large(bytes_max)


def too_large(bytes_max: int) -> RequestError:
    """Return what tells that a file is too large."""
    return RequestError(413, f"the file is larger than {bytes_max} bytes")


class _Form:
    """Looks for the first part called `file`, and collects what is in it."""

    def __init__(self, content_type: str, file: IO[bytes]) -> None:
        self.pending = bytearray()
        self._file = file
        self._upload: Upload | None = None
        self._is_file = False
        self._is_whole = False
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise PayloadError("the content type names no boundary")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": _adding_to(self._header[0]),
                    "on_header_value": _adding_to(self._header[1]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise PayloadError(str(error)) from None

    def feed(self, part: bytes) -> None:
        """Take more of the body."""
        try:
            self._parser.write(part)
        except FormParserError as error:
            raise PayloadError(f"not a form: {type(error).__name__}") from None

    def flush(self) -> None:
        """Write what was collected. Blocks."""
        if self._upload is not None and self.pending:
            self._upload.write(bytes(self.pending))
            self.pending.clear()

    def finished(self) -> Upload:
        """Return the file; the body has ended."""
        if not self._is_whole:
            raise PayloadError("the form is incomplete")
        if self._upload is None:
            raise PayloadError("the form has no part file")
        return self._upload

    def _begin_part(self) -> None:
        self._disposition = b""

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        name.clear()
        value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition.decode("latin-1"))
        self._is_file = self._upload is None and options.get(b"name") == b"file"
        if self._is_file:
            name = options.get(b"filename", b"").decode("utf-8", "replace")
            self._upload = Upload(name, self._file)

    def _take(self, part: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.pending += part[start:end]

    def _end_part(self) -> None:
        self._is_file = False

    def _end(self) -> None:
        self._is_whole = True


def _adding_to(collected: bytearray) -> Callable[[bytes, int, int], None]:
    def add(part: bytes, start: int, end: int) -> None:
        collected.extend(part[start:end])

    return add
