"""Contacts in files: a JSON array, JSON lines, or CSV with a header.

Read one by one, so that a file of lines may be of any size; a JSON array is held as a whole.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from airy_ray.errors import ConfigError

_GROUPS = ("via", "address", "conversations", "metadata")
_DELIMITERS = ",;\t|"


class Told(NamedTuple):
    """A contact, and where in its file it is told of, for people."""

    place: str
    contact: dict[str, Any]


def contacts_in(file: Path) -> Iterator[Told]:
    """Yield the contacts in a file, checked as the API would.

    Raises:
        ConfigError: the file cannot be read, or a contact is not one; the text names its place.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for place, contact in _read(file, lines):
                yield Told(place, _checked(file, place, contact))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not in UTF-8") from None


def _read(file: Path, lines: Any) -> Iterator[tuple[str, Any]]:
    if file.suffix.lower() in (".csv", ".tsv"):
        return _rows(file, lines)
    first = lines.read(1)
    while first.isspace():
        first = lines.read(1)
    lines.seek(0)
    return _array(file, lines) if first == "[" else _json_lines(file, lines)


def _array(file: Path, lines: Any) -> Iterator[tuple[str, Any]]:
    try:
        found = json.load(lines, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not JSON: {error}") from None
    for index, contact in enumerate(found):
        yield f"contact {index + 1}", contact


def _json_lines(file: Path, lines: Any) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.isspace():
            try:
                yield f"line {number}", json.loads(line, parse_constant=_refused)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"{file}: line {number}: not JSON: {error}") from None


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _rows(file: Path, lines: Any) -> Iterator[tuple[str, Any]]:
    header = lines.readline()
    delimiter = max(_DELIMITERS, key=header.count)
    lines.seek(0)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        columns = [column.strip() for column in next(rows, [])]
        _check_columns(file, columns)
        for row in rows:
            if any(row):
                place = f"line {rows.line_num}"
                if len(row) > len(columns):
                    raise ConfigError(f"{file}: {place}: has more cells than there are columns")
                yield place, _nested(dict(zip(columns, row, strict=False)))
    except csv.Error as error:
        raise ConfigError(f"{file}: line {rows.line_num}: {error}") from None


def _check_columns(file: Path, columns: list[str]) -> None:
    """Refuse columns that would come to nothing: in a table they are spelled wrong."""
    from airy_ray.serve.api.contacts import NewContact  # with it half of the API is loaded

    plain = [name for name in NewContact.model_fields if name not in _GROUPS]
    for column in columns:
        group, dot, key = column.partition(".")
        is_known = bool(key) and group in _GROUPS if dot else column in plain
        if not is_known:
            raise ConfigError(
                f"{file}: no column can be called {column!r}; there are {', '.join(plain)}, and "
                "via.…, address.…, conversations.… and metadata.…, such as via.email"
            )


def _nested(row: dict[str, str]) -> dict[str, Any]:
    contact: dict[str, Any] = {}
    for column, cell in row.items():
        group, dot, key = column.partition(".")
        if cell and dot:
            contact.setdefault(group, {})[key] = cell
        elif cell:
            contact[column] = cell
    return contact


def _checked(file: Path, place: str, contact: Any) -> dict[str, Any]:
    from airy_ray.serve.api.contacts import NewContact
    from airy_ray.serve.api.endpoint import told

    try:
        NewContact.model_validate(contact)
    except ValidationError as error:
        raise ConfigError(f"{file}: {place}: {told(error)}") from None
    checked: dict[str, Any] = contact
    return checked
