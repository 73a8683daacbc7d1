"""Where the words of a phrase may stand, as Lucene's sloppy phrases have it.

Each word may be moved from its place. How far the one that moved furthest to the right is from the
one that moved furthest to the left is what counts against the slop: two words that change places
cost two. No two words of a phrase stand in one place, equal ones neither.
"""

from collections.abc import Iterator, Sequence
from itertools import product

Placing = tuple[tuple[int, str], ...]
"""Words with their places, in order, from 0 on."""


def placings(words: Sequence[str], slop: int) -> list[Placing]:
    """Return in which ways words may stand; at most `count_of` of them."""
    found: dict[Placing, None] = {}
    for moves in _moves(len(words), slop):
        places = [index + move for index, move in enumerate(moves)]
        if len(set(places)) == len(words):
            first = min(places)
            placed = zip(places, words, strict=True)
            found[tuple(sorted((place - first, word) for place, word in placed))] = None
    return list(found)


def count_of(words: int, slop: int) -> int:
    """Return in how many ways so many words may be moved."""
    most: int = (slop + 1) ** words - slop**words
    return most


def _moves(words: int, slop: int) -> Iterator[tuple[int, ...]]:
    """Yield by how much each word is moved; the first that is not moved is each in turn."""
    for still in range(words):
        before = [range(1, slop + 1)] * still
        behind = [range(slop + 1)] * (words - still - 1)
        yield from product(*before, range(1), *behind)
