"""Commands that forget people: carried out by the partition of the contact."""

from airy_ray.model.commands.base import Command


class EraseContact(Command, frozen=True, kw_only=True, tag="contacts.erase"):
    """A person is to be forgotten, with all that is known of them.

    Attributes:
        contact_ids: the contact's, and those of contacts that were merged into it.
        conversation_ids: of all that the contact has, in whatever partition.
    """

    contact_ids: tuple[str, ...]
    conversation_ids: tuple[str, ...]


ErasureCommand = EraseContact
