"""Forms with files in them, as platforms read them."""

from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

_FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it came: what it is called, of which media type, and what is in it."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """What came in a form, by name; nothing if it was none."""

    fields: dict[str, str]
    files: dict[str, File]


def is_form(request: Request) -> bool:
    """Whether a request says that its body is a form with files."""
    return request.headers.get("content-type", "").startswith(_FORM)


async def read(request: Request) -> Form:
    """Return the form in a request."""
    told = Form({}, {})
    if not is_form(request) or "content-length" not in request.headers:
        return told  # who sends pieces of unknown number is refused by some
    try:
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    kind = (value.content_type or "").partition(";")[0]
                    told.files[name] = File(value.filename or "", kind, await value.read())
                else:
                    told.fields[name] = value
    except HTTPException:  # it is cut off, or none
        return Form({}, {})
    return told
