"""Forms with files of ours in them, written piece by piece: no file is in memory as a whole."""

from collections.abc import AsyncIterator

from aiohttp import MultipartWriter, Payload
from aiohttp.abc import AbstractStreamWriter

from airy_ray.cluster.our_files import OurFiles
from airy_ray.sources.attached import OurFile
from airy_ray.sources.sending import Form


def written(form: Form, files: OurFiles) -> MultipartWriter:
    """Return a form as the body of one request."""
    writer = MultipartWriter("form-data")
    for name, text in form.fields.items():
        part = writer.append(text, {"content-type": "text/plain; charset=utf-8"})
        part.set_content_disposition("form-data", name=name)
    for name, file in form.files.items():
        body = _File(file, files.read(file))
        body.set_content_disposition("form-data", name=name, filename=file.name)
        writer.append_payload(body)
    return writer


class _File(Payload):
    """A part whose length is known before it is read."""

    def __init__(self, file: OurFile, pieces: AsyncIterator[bytes]) -> None:
        super().__init__(pieces, content_type=file.kind)
        self._size = file.size
        self._pieces = pieces

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Never asked."""
        raise TypeError("a file is no text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write what is in the file."""
        async for piece in self._pieces:
            await writer.write(piece)
