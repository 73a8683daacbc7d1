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


class SettleFiles(Command, frozen=True, kw_only=True, tag="files.settle"):
    """Files that erased messages linked to were looked after: deleted, or others link to them.

    Attributes:
        files: by name, the offset at which each was left; one that was left again since stays.
    """

    files: dict[str, int]


ErasureCommand = EraseContact | SettleFiles
