"""What a filter asks for: queries over the fields of conversations (contract: platform API §8.1).

Words are in lower case, as they are indexed. A query holds no more than `syntax` allows.
"""

from dataclasses import dataclass

TEXT_FIELDS = frozenset({"display_name", "tag_ids"})
"""Any word of theirs may match."""
KEYWORD_FIELDS = frozenset({"id", "channel_id", "source"})
"""They match as a whole."""
NUMBER_FIELDS = frozenset({"unread_count", "created_at"})
METADATA = "metadata."
"""What the names of fields for metadata begin with; the rest is its dotted key."""


@dataclass(frozen=True)
class Everything:
    """All conversations."""


@dataclass(frozen=True)
class Nothing:
    """None."""


@dataclass(frozen=True)
class Present:
    """Those whose `field` holds anything."""

    field: str


@dataclass(frozen=True)
class Word:
    """Those with a word in `field`."""

    field: str
    word: str


@dataclass(frozen=True)
class Phrase:
    """Those with words side by side in this order, but for `slop` moves, see `phrases`."""

    field: str
    words: tuple[str, ...]
    slop: int = 0


@dataclass(frozen=True)
class Pattern:
    """Those with a word in `field` that a regular expression matches as a whole."""

    field: str
    regex: str


@dataclass(frozen=True)
class Fuzzy:
    """Those with a word in `field` that is at most `edits` edits from this one."""

    field: str
    word: str
    edits: int


@dataclass(frozen=True)
class Numbers:
    """Those whose number in `field` is from `low` to `high`, both included; None is open."""

    field: str
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Combined:
    """Those that all of `must` find and none of `must_not`; without `must`, some of `should`."""

    must: tuple["Query", ...] = ()
    should: tuple["Query", ...] = ()
    must_not: tuple["Query", ...] = ()


Query = Everything | Nothing | Present | Word | Phrase | Pattern | Fuzzy | Numbers | Combined
