"""`contacts.export`: everything about a person, as files in a ZIP that is written while it is sent.

```
contact.json
conversations/<id>/conversation.json    as the API shows it
conversations/<id>/messages.jsonl       newest first, as the API shows them
files/<name>                            files of ours that the messages link to
log/<partition>.jsonl                   what was received and asked for, as it came
```
"""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from itertools import islice

from airy_ray.errors import RequestError
from airy_ray.model import contact, message
from airy_ray.model.contact import Snapshot
from airy_ray.model.ids import ContactId, format_id
from airy_ray.model.media_links import files_in
from airy_ray.partition.person import said_of
from airy_ray.projections import keys
from airy_ray.serve.api import conversations as conversation_endpoints
from airy_ray.serve.api.contacts import OneContact
from airy_ray.serve.api.endpoint import Endpoint
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Streamed
from airy_ray.storage import child

_MESSAGES_AT_ONCE = 200
_LINES_AT_ONCE = 200


async def export(platform: Platform, _: Caller, asked: OneContact) -> Streamed:
    """Return all that is kept of a contact, as files in a ZIP that is made while it is sent.

    What is shown of the person, files of their messages, and what the log says of them.
    """
    person = await platform.partitions.contact(ContactId(asked.id))
    if person is None:
        raise RequestError(404, "Contact not found")
    name = f"contact-{format_id(person.contact.id)}.zip"
    headers = [
        (b"content-type", b"application/zip"),
        (b"content-disposition", f'attachment; filename="{name}"'.encode()),
    ]
    pieces = zipped(_files(platform, person))
    return Streamed(200, headers, pieces=pieces)


Part = tuple[str, bytes]
"""The name of a file and a piece of it; pieces of one file follow one another."""


async def _files(platform: Platform, person: Snapshot) -> AsyncIterator[Part]:
    yield "contact.json", contact.rendered(person.contact, person.identities, person.history)
    conversations = [identifier for identifier, _ in person.identities]
    contacts = [person.contact.id, *contact.taken_over(person)]
    files: set[str] = set()
    for identifier in conversations:
        directory = f"conversations/{format_id(identifier)}"
        row = await platform.partitions.conversation(identifier)
        if row is None:
            continue  # somebody has erased it meanwhile, or it has no message yet
        files |= files_in(row.metadata)
        yield f"{directory}/conversation.json", conversation_endpoints.rendered(platform, row)
        start: bytes | None = None
        while page := await platform.partitions.messages(identifier, start, _MESSAGES_AT_ONCE):
            lines = b"".join(message.rendered(each) + b"\n" for each in page)
            files |= {name for each in page for name in files_in(each.content, each.metadata)}
            yield f"{directory}/messages.jsonl", lines
            last = page[-1]
            start = keys.message(identifier, last.sent_at, last.id) + b"\0"
    for name in sorted(files):
        size = await platform.media.size(name)
        async for piece in platform.media.read(name, range(size or 0)):
            yield f"files/{name}", piece
    for spec in platform.machine.spec.partitions:
        lines_of = child.results(said_of, spec, conversations, contacts)
        try:
            while some := await asyncio.to_thread(list, islice(lines_of, _LINES_AT_ONCE)):
                yield f"log/{spec.name}.jsonl", b"".join(some)
        finally:
            await asyncio.to_thread(lines_of.close)


class _Sink(io.RawIOBase):
    """What a ZIP is written to: it cannot be sought in, and is emptied again and again."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        """Whether it takes bytes."""
        return True

    def write(self, piece: object) -> int:
        """Take bytes."""
        taken = bytes(piece)  # type: ignore[call-overload]  # any buffer
        self._written.append(taken)
        return len(taken)

    def drained(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken


async def zipped(parts: AsyncIterator[Part]) -> AsyncIterator[bytes]:
    """Yield a ZIP of files as it grows."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        name, file = "", None
        async for of, piece in parts:
            if of != name:
                if file is not None:
                    file.close()
                name, file = of, archive.open(_entry(of), "w", force_zip64=True)
            assert file is not None  # no name is empty
            await asyncio.to_thread(file.write, piece)
            if taken := sink.drained():
                yield taken
        if file is not None:
            file.close()
    yield sink.drained()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


ENDPOINTS = [
    Endpoint(
        "/contacts.export",
        export,
        OneContact,
        "Get everything about a contact, as a ZIP of files",
        bytes,
        failures=(404,),
        media_type="application/zip",
    ),
]
