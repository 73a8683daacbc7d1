"""Dictionaries that methods take as parts of their arguments.

Made of the API's description by `make clients`.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Suggestion(TypedDict):
    """One proposed answer."""

    content: NotRequired[Any]
    """What a message would hold."""
