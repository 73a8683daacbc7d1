"""A contact: a person, known by one identity per conversation (contract: platform API §4.5)."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.ids import ContactId


class Contact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of a person. Its identities are rows of their own, one per conversation.

    Attributes:
        is_named: whether `display_name` was given by somebody; if not, it follows the conversation.
        merged_into: the contact that took this one over; then this row is only a redirect.
    """

    id: ContactId
    display_name: str | None
    created_at: Millis
    is_named: bool = False
    updated_at: Millis | None = None
    avatar_url: str | None = None
    merged_into: ContactId | None = None


class Identity(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One face of a contact: whom a source calls `source_conversation_id`."""

    source: str
    source_conversation_id: str
