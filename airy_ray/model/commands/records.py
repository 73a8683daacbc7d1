"""Commands about records of the log: carried out by the partition that has the record."""

from airy_ray.model.commands.base import Command


class _OfRecord(Command, frozen=True, kw_only=True):
    """What these have in common.

    Attributes:
        record_id: which, as people name it: partition:offset.
    """

    record_id: str

    @property
    def offset(self) -> int:
        """Where the record is in its partition's log."""
        return int(self.record_id.rpartition(":")[2])


class ResendRecord(_OfRecord, frozen=True, kw_only=True, tag="ledger.resend"):
    """What a source sent is to be taken in again, as if it came now."""


class RetryRecord(_OfRecord, frozen=True, kw_only=True, tag="quarantine.retry"):
    """A record in quarantine is to be folded again."""


class DropRecord(_OfRecord, frozen=True, kw_only=True, tag="quarantine.drop"):
    """A record is to be in quarantine no more, although nothing came of it."""


RecordCommand = ResendRecord | RetryRecord | DropRecord
"""Records sent again, folded again, given up."""
