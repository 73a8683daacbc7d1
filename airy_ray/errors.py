"""Every error this package raises on purpose.

```
AiryError
├── ConfigError                  a setting is wrong; its text names the key
├── SourceError                  SignatureError · PayloadError · DeliveryError
│                                FetchError
├── BotError                     a bot did not answer as it should
├── NotFoundError                ConversationNotFoundError · ChannelNotFoundError
│                                MessageNotFoundError
├── RequestError                 a caller of the API asked what cannot be done; carries the answer
├── ReplayError                  what a replay was told cannot be done now
├── FilterError                  a filter of conversations cannot be understood
├── RawLogError                  RecordCorruptError · OffsetOutOfRangeError · LogBusyError
├── StorageError                 DiskFullError · DamagedError · UnstorableError
│                                ChildDiedError
├── StateError                   RowCorruptError · RebuildingError · IndexingError
│                                FeedTrimmedError · NewerStateError
├── ProtocolError                what a STOMP peer may not do
└── PartitionError               PartitionUnavailableError (try again)
                                 PartitionFencedError (another owner)
```

Families are what callers catch; leaves say what happened and carry it as attributes. Errors travel
between processes, so `args` must rebuild them.
"""

from __future__ import annotations


class AiryError(Exception):
    """The root of all errors below."""


class ConfigError(AiryError):
    """A setting is missing, unknown or of the wrong form. Its text names the key."""


class SourceError(AiryError):
    """A messaging platform, or what it sent, did not do as its documentation says."""


class SignatureError(SourceError):
    """A webhook of `source` carries no signature, or one that its body does not have."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: the signature is missing or wrong"


class PayloadError(SourceError):
    """A body is not what its source sends; `reason` tells people why, without quoting it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DeliveryError(SourceError):
    """A platform refused a call. `reason` is its own text, or ours when it gave none."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FetchError(SourceError):
    """A file cannot be fetched; `may_pass` tells whether that may change."""

    def __init__(self, reason: str, may_pass: bool = False) -> None:
        super().__init__(reason, may_pass)
        self.reason = reason
        self.may_pass = may_pass

    def __str__(self) -> str:
        return self.reason


class BotError(AiryError):
    """A bot did not answer, or not as its documentation says; `reason` quotes nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotFoundError(AiryError):
    """What was asked for by id does not exist."""


class ConversationNotFoundError(NotFoundError):
    """No conversation has this id, or it has no message on a known channel yet."""


class ChannelNotFoundError(NotFoundError):
    """No channel has this id, or it is not connected where it must be."""


class MessageNotFoundError(NotFoundError):
    """No message has this id."""


class ReplayError(AiryError):
    """What a replay was told to do cannot be done as it is now; the text says why."""


class RequestError(AiryError):
    """A request cannot be carried out; `status` is its HTTP answer, `reason` the text for people.

    An empty `reason` means an answer without a body, which is what the contract asks of some.
    """

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".rstrip()


class FilterError(AiryError):
    """A filter cannot be understood; `reason` tells people why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Failed to parse Lucene query: {self.reason}"


class RawLogError(AiryError):
    """The raw log cannot do what was asked."""


class RecordCorruptError(RawLogError):
    """The bytes stored at `offset` are not those that were written."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(offset, reason)
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"the record at offset {self.offset} is damaged: {self.reason}"


class OffsetOutOfRangeError(RawLogError):
    """A read asked for `offset`; the log holds `held`, end exclusive."""

    def __init__(self, offset: int, held: range) -> None:
        super().__init__(offset, held)
        self.offset = offset
        self.held = held

    def __str__(self) -> str:
        return f"offset {self.offset} is outside {self.held.start}..{self.held.stop}"


class LogBusyError(RawLogError):
    """An append was not durable within its time. It may still become so: repeat it as it was."""


class StorageError(AiryError):
    """A file, a disk or an LMDB environment let us down."""


class DiskFullError(StorageError):
    """There was no space. Nothing was written; the same call works once there is."""


class UnstorableError(StorageError):
    """A row cannot be stored, for its key is empty or too long: nothing of its batch was."""


class DamagedError(StorageError):
    """`path` is damaged or was not checked after a failed write; nothing may use it until it is."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} is damaged: {self.reason}"


class ChildDiedError(StorageError):
    """The process that looked at something died of it, which is what damage does to LMDB."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code

    def __str__(self) -> str:
        told = f"signal {-self.exit_code}" if self.exit_code < 0 else f"code {self.exit_code}"
        return f"the process that read it ended with {told}"


class StateError(AiryError):
    """The state of a partition cannot be read as it should."""


class RowCorruptError(StateError):
    """A stored row is not the one that was written. It is never served; the state is rebuilt."""

    def __init__(self, table: str, key: bytes) -> None:
        super().__init__(table, key)
        self.table = table
        self.key = key

    def __str__(self) -> str:
        return f"row {self.key.hex()} of {self.table} is damaged"


class RebuildingError(StateError):
    """The state is being rebuilt from the log: `applied` of `head` records are folded so far."""

    def __init__(self, applied: int, head: int) -> None:
        super().__init__(applied, head)
        self.applied = applied
        self.head = head

    def __str__(self) -> str:
        return f"the state is being rebuilt: {self.applied} of {self.head} records done"


class IndexingError(StateError):
    """Nothing can be found now: the search index is being built, or damaged and about to be."""


class FeedTrimmedError(StateError):
    """What changed since a place in the feed is not known any more: some of it was too old."""


class NewerStateError(StateError):
    """A newer release has made the state: its projection is `version`, that of this one `known`."""

    def __init__(self, version: int, known: int) -> None:
        super().__init__(version, known)
        self.version = version
        self.known = known

    def __str__(self) -> str:
        return (
            f"a newer release has made the state, of version {self.version} where this one makes "
            f"{self.known}: start that one, or restore a backup"
        )


class ProtocolError(AiryError):
    """A STOMP peer did what it may not, or a frame cannot be written; `reason` tells people why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PartitionError(AiryError):
    """A partition cannot serve."""


class PartitionUnavailableError(PartitionError):
    """Nobody owns the partition just now, or its owner did not answer in time. Try again."""


class PartitionFencedError(PartitionError):
    """Another owner has taken the partition over; this one must stop."""
