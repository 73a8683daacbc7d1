"""Comma lists of patterns in settings: `*` stands for anything, the rest for itself."""

import re


class Patterns:
    """A list of patterns."""

    def __init__(self, listed: str) -> None:
        self.all = [part.strip() for part in listed.split(",") if part.strip()]
        self._compiled = [
            re.compile(".*".join(map(re.escape, part.split("*"))), re.DOTALL) for part in self.all
        ]

    def match(self, text: str) -> bool:
        """Whether one of them stands for the whole text."""
        return any(pattern.fullmatch(text) for pattern in self._compiled)
