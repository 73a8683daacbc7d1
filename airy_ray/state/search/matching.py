"""A filter asked of one conversation, without the index: for who hears of changes as they come.

Says what the index would say (`translation`), of the same words (`documents`). Only regular
expressions that are no wildcards are refused: none that somebody sends may hold up a process.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from airy_ray.errors import FilterError
from airy_ray.filters.phrases import Placing, placings
from airy_ray.filters.query import (
    METADATA,
    Combined,
    Everything,
    Fuzzy,
    Nothing,
    Numbers,
    Pattern,
    Phrase,
    Present,
    Query,
    Word,
)
from airy_ray.model.ids import format_id
from airy_ray.state.search.documents import ConversationDocument, metadata_prefix

Matches = Callable[[ConversationDocument], bool]

Column = Callable[[ConversationDocument], Sequence[str]]
"""The values of a field, each with its words between spaces."""

_COLUMNS: dict[str, Column] = {
    "id": lambda row: (format_id(row.id),),
    "channel_id": lambda row: (row.channel_id,),
    "source": lambda row: (row.source,),
    "display_name": lambda row: (row.display_name,),
    "tag_ids": lambda row: (row.tag_ids,),
    "metadata": lambda row: row.metadata,
}
_NUMBERS: dict[str, Callable[[ConversationDocument], int]] = {
    "unread_count": lambda row: row.unread_count,
    "created_at": lambda row: row.created_at,
}
_WILDCARD = re.compile(r"\.\*|\.|\\(.)|([^\\.*+?()\[\]{}|^$])", re.DOTALL)
_ANY = ""
"""Stands for any character."""


def compiled(query: Query) -> Matches:
    """Return whether a filter finds a conversation.

    Raises:
        FilterError: it has a regular expression that is no wildcard.
    """
    match query:
        case Everything():
            return lambda _: True
        case Nothing():
            return lambda _: False
        case Numbers(field=field, low=low, high=high):
            return _numbers(_NUMBERS[field], low, high)
        case Combined():
            return _combined(query)
        case Present(field=field):
            return _present(field)
        case _:
            return _words(query)


def _numbers(
    number: Callable[[ConversationDocument], int], low: int | None, high: int | None
) -> Matches:
    def is_within(row: ConversationDocument) -> bool:
        value = number(row)
        return (low is None or value >= low) and (high is None or value <= high)

    return is_within


def _combined(query: Combined) -> Matches:
    must = [compiled(each) for each in query.must]
    should = [compiled(each) for each in query.should]
    must_not = [compiled(each) for each in query.must_not]

    def matches(row: ConversationDocument) -> bool:
        if not all(each(row) for each in must) or any(each(row) for each in must_not):
            return False
        return bool(must) or any(each(row) for each in should)

    return matches


def _present(field: str) -> Matches:
    if field.startswith(METADATA):
        prefix = metadata_prefix(field.removeprefix(METADATA))
        return lambda row: prefix in row.metadata
    if field in _NUMBERS:
        return lambda _: True
    column = _COLUMNS[field]
    return lambda row: any(column(row))


def _words(query: Word | Phrase | Pattern | Fuzzy) -> Matches:
    name, prefix = query.field, ""
    if name.startswith(METADATA):
        name, prefix = "metadata", metadata_prefix(name.removeprefix(METADATA))
    column = _COLUMNS[name]
    match query:
        case Word(word=word):
            return _any_word(column, (prefix + word).__eq__)
        case Phrase(words=words, slop=slop):
            ways = placings([prefix + word for word in words], slop)
            return lambda row: _has_phrase(_placed(column(row)), ways)
        case Pattern(regex=regex):
            return _any_word(column, _wildcard(prefix, regex))
        case Fuzzy(word=word, edits=edits):
            return _any_word(column, lambda known: _is_near(known, prefix + word, edits))
        case _:
            assert_never(query)


def _any_word(column: Column, is_it: Callable[[str], bool]) -> Matches:
    return lambda row: any(is_it(word) for value in column(row) for word in value.split(" "))


def _placed(values: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield words with their places; between two values one is free."""
    place = 0
    for value in values:
        for word in value.split():
            yield place, word
            place += 1
        place += 1


def _has_phrase(placed: Iterator[tuple[int, str]], ways: list[Placing]) -> bool:
    """Whether words stand in one of the ways in which they may."""
    places: dict[str, set[int]] = defaultdict(set)
    for place, word in placed:
        places[word].add(place)
    return any(
        all(start + place in places[word] for place, word in way)
        for way in ways
        for start in tuple(places[way[0][1]])
    )


def _wildcard(prefix: str, regex: str) -> Callable[[str], bool]:
    """Return whether a word is as a wildcard has it; in time that grows with both alone."""
    parts: list[list[str]] = [list(prefix)]
    at = 0
    for found in _WILDCARD.finditer(regex):
        if found.start() != at:
            break
        at = found.end()
        if found[0] == ".*":
            parts.append([])
        else:
            parts[-1].append(_ANY if found[0] == "." else found[1] or found[2])
    if at != len(regex):
        raise FilterError("regular expressions cannot be listened to, only wildcards")

    def matches(word: str) -> bool:
        first, *rest = parts
        if not _is_at(word, 0, first):
            return False
        at = len(first)
        if not rest:
            return at == len(word)
        for part in rest[:-1]:
            while not _is_at(word, at, part):
                at += 1
                if at + len(part) > len(word):
                    return False
            at += len(part)
        return len(word) - len(rest[-1]) >= at and _is_at(word, len(word) - len(rest[-1]), rest[-1])

    return matches


def _is_at(word: str, at: int, part: list[str]) -> bool:
    if at < 0 or at + len(part) > len(word):
        return False
    return all(
        wanted in (_ANY, known)
        for wanted, known in zip(part, word[at : at + len(part)], strict=True)
    )


def _is_near(known: str, word: str, edits: int) -> bool:
    """Whether two words are few edits apart; two letters in each other's place are one edit."""
    if abs(len(known) - len(word)) > edits:
        return False
    before: list[int] = []
    row = list(range(len(word) + 1))
    for index, letter in enumerate(known, start=1):
        earlier, before, row = before, row, [index]
        for column, wanted in enumerate(word, start=1):
            cost = min(row[-1] + 1, before[column] + 1, before[column - 1] + (letter != wanted))
            is_swapped = (
                index > 1
                and column > 1
                and letter == word[column - 2]
                and known[index - 2] == wanted
            )
            row.append(min(cost, earlier[column - 2] + 1) if is_swapped else cost)
    return row[-1] <= edits
