"""Names of the wire as Python has them."""

import re
from keyword import iskeyword

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def python_name(name: str) -> str:
    """Return a field's or endpoint's name in snake case."""
    snake = re.sub(r"\W", "_", _HUMP.sub("_", name)).lower()
    return f"{snake}_" if iskeyword(snake) else snake


def class_name(parts: tuple[str, ...]) -> str:
    """Return a class for a path of names."""
    return "".join(word.capitalize() for part in parts for word in part.split("_"))
