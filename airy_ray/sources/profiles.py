"""What a source knows of a contact, where it is to be asked for that (sources §1.4). Pure."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import msgspec

from airy_ray.model import json_text
from airy_ray.sources.files import Link
from airy_ray.sources.sending import Call, Later, Refused, Reply

WAIT_S = 10.0
"""How long a platform may take to answer; nobody waits for it."""


class Profile(msgspec.Struct, frozen=True, gc=False):
    """What is to be kept with the contact's conversation, dotted key to JSON text; never empty."""

    values: dict[str, bytes]


@runtime_checkable
class Profiles(Protocol):
    """A source that tells of its contacts if it is asked."""

    def profile_calls(self, contact: str, token: str) -> list[Call]:
        """Return the ways to ask for a contact, the best first; the next if one does not tell.

        Raises:
            DeliveryError: we have no credentials.
        """
        ...

    def profile(self, contact: str, reply: Reply) -> Profile | Refused | Later:
        """Return what an answer to one of the calls tells."""
        ...


@runtime_checkable
class Pictures(Protocol):
    """A source whose contacts have pictures that only we can fetch, so that we keep copies."""

    def picture_call(self, contact: str, token: str) -> Call | None:
        """Return the call that asks for a contact's picture; None for who cannot have any."""
        ...

    def picture(self, reply: Reply) -> Link | Refused | Later:
        """Return the file that an answer to that call tells."""
        ...


AVATAR = "contact.avatar_url"


def known(values: dict[str, bytes]) -> Profile | Refused:
    """Return a profile, unless nothing is known."""
    return Profile(values) if values else Refused("nothing is told of the contact")


def contact_values(told: Mapping[str, object]) -> dict[str, bytes]:
    """Return what was told of a contact as metadata; blank texts and other things tell nothing."""
    return {
        f"contact.{name}": json_text.quote(text.strip())
        for name, text in told.items()
        if isinstance(text, str) and text.strip()
    }


def full_name(*parts: object) -> str:
    """Return a name of its parts, of which any may be missing."""
    return " ".join(part for part in parts if isinstance(part, str)).strip()
