"""Parts of what others told in JSON, any of which may be missing, or something else."""

from typing import Any


def object_in(value: object, name: str) -> dict[str, Any]:
    """Return the object that an object has under a name; empty if it has none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def objects_in(value: object, name: str) -> list[dict[str, Any]]:
    """Return the objects in the array that an object has under a name; other elements are none."""
    found = value.get(name) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text_in(value: object, name: str) -> str:
    """Return a text that an object has under a name; empty if it has none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
