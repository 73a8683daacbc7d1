"""A ZIP that is written while it is sent: whole in the end, never whole in memory."""

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from airy_ray.serve.api.export import Part, zipped
from airy_ray.serve.http import Streamed, respond
from tests.unit.serve.test_http import Server

NAMES = st.sampled_from(["contact.json", "log/00.jsonl", "conversations/é/messages.jsonl"])


async def told(parts: Sequence[Part]) -> AsyncIterator[Part]:
    for part in parts:
        yield part


def pieces_of(parts: Sequence[Part]) -> list[bytes]:
    async def collected() -> list[bytes]:
        return [piece async for piece in zipped(told(parts))]

    return asyncio.run(collected())


def files_in(pieces: Sequence[bytes]) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@given(st.dictionaries(NAMES, st.lists(st.binary(max_size=50), min_size=1, max_size=4)))
def test_files_are_read_back_however_they_were_cut(files: dict[str, list[bytes]]) -> None:
    parts = [(name, piece) for name, pieces in files.items() for piece in pieces]

    assert files_in(pieces_of(parts)) == {name: b"".join(cut) for name, cut in files.items()}


def test_a_large_file_leaves_in_pieces() -> None:
    parts = [("log/00.jsonl", os.urandom(1 << 16)) for _ in range(64)]

    assert max(map(len, pieces_of(parts))) < 1 << 18


def test_a_stream_is_sent_piece_by_piece_and_ended() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    server = Server()
    headers = [(b"content-type", b"application/zip")]
    asyncio.run(respond(server.send, Streamed(200, headers, pieces=pieces()), [(b"vary", b"x")]))
    start, *bodies = server.heard

    assert start["headers"] == [*headers, (b"vary", b"x")]
    assert [(each["body"], each.get("more_body", False)) for each in bodies] == [
        (b"one", True),
        (b"two", True),
        (b"", False),
    ]
