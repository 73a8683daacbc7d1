"""Metadata: values under dotted keys, flattened from JSON and put together to a document again.

Contract: platform API §5. One item per leaf; objects nest along the dots; arrays are leaves;
numbers come back as floating point. A later instant wins where a scalar and a nested key collide.
A key that begins with `data_` is one name, dots and all (sources §10).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.persistent_copies import OPAQUE

Namespace = Literal["conversation", "channel", "message", "contact"]


class MetadataItem(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one key of one subject holds.

    Attributes:
        value: JSON text as it is served; empty when the key was removed, which is remembered so
            that an older write that comes late cannot bring it back.
        at: when it was so; decides which of two colliding keys wins.
        long_key: the whole dotted key, where the row's own key had to shorten it.
    """

    value: bytes
    at: Millis
    long_key: str | None = None

    @property
    def is_removed(self) -> bool:
        """Whether this only remembers that the key is gone."""
        return not self.value


EMPTY_DOCUMENT = b"{}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, bytes]:
    """Return the leaves of an object: dotted key to JSON text. Empty objects make none."""
    leaves: dict[str, bytes] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and not (prefix + key).startswith(OPAQUE):
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = leaf(value)
    return leaves


def leaf(value: Any) -> bytes:
    """Return the JSON text that a leaf is served as: every number as floating point."""
    if isinstance(value, str):
        return json_text.quote(value)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            return str(value).encode()
    return json_text.encode(value)


def document(items: Iterable[tuple[str, MetadataItem]]) -> bytes:
    """Return the JSON object that `items` (dotted key, item) make, removed ones left out."""
    assembled: dict[str, Any] = {}
    for key, item in sorted(items, key=lambda pair: (pair[1].at, pair[0])):
        if not item.is_removed:
            path = [key] if key.startswith(OPAQUE) else key.split(".")
            _place(assembled, path, msgspec.Raw(item.value))
    return json_text.encode(assembled)


def _place(assembled: dict[str, Any], path: list[str], value: msgspec.Raw) -> None:
    for name in path[:-1]:
        inner = assembled.get(name)
        if not isinstance(inner, dict):
            inner = assembled[name] = {}
        assembled = inner
    assembled[path[-1]] = value
