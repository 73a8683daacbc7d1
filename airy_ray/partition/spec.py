"""What a partition must be told: where it lives, which one it is, its bounds."""

from dataclasses import dataclass
from pathlib import Path

from airy_ray.model.ids import REGISTRY, PartitionIndex


@dataclass(frozen=True)
class Rule:
    """Conversations of a source, or of all (`*`), are erased so long after their newest message."""

    source: str
    after_ms: int


@dataclass(frozen=True)
class Retention:
    """How long what can be made again, or has been dealt with, is kept.

    Attributes:
        changes_ms: entries of the change feed; a client away for longer reloads over HTTP.
        ledger_ms: what became of each record.
        orphans_ms: records whose channel nobody connects.
        audit_ms: who had what done.
        rules: when conversations go; the one for a source goes before the one for all.
    """

    changes_ms: int = 48 * 3_600_000
    ledger_ms: int = 30 * 86_400_000
    orphans_ms: int = 7 * 86_400_000
    audit_ms: int = 365 * 86_400_000
    rules: tuple[Rule, ...] = ()

    @property
    def unlinked_ms(self) -> int | None:
        """How long a file stays that nothing links to: as conversations of all sources do.

        None for ever.
        """
        return next((rule.after_ms for rule in reversed(self.rules) if rule.source == "*"), None)


@dataclass(frozen=True)
class Upkeep:
    """When the owner of a partition brings what it has to the disk and to the archive.

    Attributes:
        sync_ms: how often the state is synced.
        segment_bytes: how much of the log one archive file takes.
        segment_age_ms: when what is there is sealed although it is less.
        tail_records: how much of the log stays in the live tail although it is archived.
        snapshot_records: after how many records the state is copied.
        snapshot_age_ms: after which time it is, if anything came in.
        erasure_ms: how long erasures gather before the log is rewritten for all of them.
    """

    sync_ms: int = 10_000
    segment_bytes: int = 64 << 20
    segment_age_ms: int = 3_600_000
    tail_records: int = 10_000
    snapshot_records: int = 1_000_000
    snapshot_age_ms: int = 3_600_000
    erasure_ms: int = 5_000


@dataclass(frozen=True)
class PartitionSpec:
    """One partition of `count`, or the registry, which is kept like one.

    Attributes:
        directory: its log, state and snapshots.
        archive: where all partitions' sealed ranges go.
        answers: where what webhooks answered is, for owners to erase from.
        batch_records: how many records one transaction folds at most: what comes in meanwhile waits
            behind them, but in longer ones each takes a little less time.
        batch_bytes: how many bytes of them at most, the first one apart.
        rebuilt_records: how many it folds of a state that is made anew, which nobody may read yet:
            in fewer each takes more time, and more take memory that the owner keeps, and have
            whoever stops it wait.
        rebuilt_bytes: how many bytes of them at most, the last one apart.
    """

    index: PartitionIndex
    count: int
    directory: Path
    archive: Path
    answers: Path
    upkeep: Upkeep = Upkeep()
    retention: Retention = Retention()
    batch_records: int = 128
    batch_bytes: int = 4 << 20
    rebuilt_records: int = 4_096
    rebuilt_bytes: int = 16 << 20

    @property
    def name(self) -> str:
        """What people and files call it."""
        return "registry" if self.index == REGISTRY else f"{self.index:02}"
