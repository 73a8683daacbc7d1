"""Dictionaries that methods take as parts of their arguments.

Made of the API's description by `make clients`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict


class Address(TypedDict):
    """Where a contact lives."""

    organization_name: NotRequired[str | None]
    address_line1: NotRequired[str | None]
    address_line2: NotRequired[str | None]
    postal_code: NotRequired[str | None]
    city: NotRequired[str | None]
    state: NotRequired[str | None]
    country: NotRequired[str | None]


class NewContact(TypedDict):
    """What is known of a person."""

    display_name: NotRequired[str | None]
    avatar_url: NotRequired[str | None]
    title: NotRequired[str | None]
    gender: NotRequired[str | None]
    timezone: NotRequired[int | None]
    """Relative to GMT."""
    locale: NotRequired[str | None]
    organization_name: NotRequired[str | None]
    via: NotRequired[Mapping[str, str | None] | None]
    """Such as `phone` and `email`."""
    address: NotRequired[Address | None]
    conversations: NotRequired[Mapping[str, str | None] | None]
    """Id to source."""
    metadata: NotRequired[Any]
    """Any JSON."""


class Suggestion(TypedDict):
    """One proposed answer."""

    content: NotRequired[Any]
    """What a message would hold."""
