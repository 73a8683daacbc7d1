"""Queries of ours as tantivy's."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import assert_never

from tantivy import FieldType, Occur
from tantivy import Query as IndexQuery

from airy_ray.errors import FilterError
from airy_ray.filters.fulltext import FullText
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
from airy_ray.state.search.documents import END_MAX, metadata_prefix
from airy_ray.state.search.index import CONVERSATIONS, MESSAGES, SCHEMAS

_CONVERSATIONS, _MESSAGES = SCHEMAS[CONVERSATIONS], SCHEMAS[MESSAGES]
_ESCAPE = re.compile(r"\\(?=.)", re.DOTALL)
_CONTAINING = re.compile(r"\.\*((?:[\w-]|\\[^\w\s])+)\.\*")
_ALWAYS_PRESENT = frozenset({"id", "channel_id", "source", "display_name"})


@lru_cache(maxsize=16)  # of one request each partition asks for it, and the next page again
def conversations_query(query: Query) -> IndexQuery:
    """Return what finds the conversations that a filter asks for.

    Raises:
        FilterError: a wildcard or regular expression is too complex, or is none.
    """
    try:
        return _translated(query)
    except ValueError:
        raise FilterError("a wildcard or regular expression is too complex, or wrong") from None


def messages_query(wanted: FullText) -> IndexQuery:
    """Return what finds messages by their words."""
    must = [IndexQuery.term_query(_MESSAGES, "text", word) for word in wanted.words]
    must.append(IndexQuery.regex_query(_MESSAGES, "text", f"{wanted.prefix}.*"))
    if wanted.conversation is not None:
        identifier = format_id(wanted.conversation)
        must.append(IndexQuery.term_query(_MESSAGES, "conversation", identifier))
    if wanted.until is not None:
        until = IndexQuery.range_query(_MESSAGES, "rank", FieldType.Integer, None, wanted.until)
        must.append(until)
    return IndexQuery.boolean_query([(Occur.Must, each) for each in must])


def _translated(query: Query) -> IndexQuery:
    match query:
        case Everything():
            return IndexQuery.all_query()
        case Nothing():
            return IndexQuery.empty_query()
        case Numbers(field=field, low=low, high=high):
            return _numbers(field, low, high)
        case Combined(must=must, should=should, must_not=must_not):
            return _combined(must, should, must_not)
        case _:
            column, prefix = _column(query.field)
            return _words(query, column, prefix)


def _column(field: str) -> tuple[str, str]:
    """Return where the words of a field are, and what they begin with there."""
    if field.startswith(METADATA):
        return "metadata", metadata_prefix(field.removeprefix(METADATA))
    return field, ""


def _words(
    query: Present | Word | Phrase | Pattern | Fuzzy, column: str, prefix: str
) -> IndexQuery:
    match query:
        case Present():
            return _present(column, prefix)
        case Word(word=word):
            return IndexQuery.term_query(_CONVERSATIONS, column, prefix + word)
        case Phrase(words=words, slop=slop):
            ways = placings([prefix + word for word in words], slop)
            return _any_of([_placed(column, way) for way in ways])
        case Pattern(regex=regex):
            if column == "display_name" and (text := _contained(regex)) is not None:
                return IndexQuery.regex_query(_CONVERSATIONS, "display_name_ends", f"{text}.*")
            whole = f"{prefix}(?:{regex})"
            return IndexQuery.regex_query(_CONVERSATIONS, column, whole)
        case Fuzzy(word=word, edits=edits):
            return IndexQuery.fuzzy_term_query(_CONVERSATIONS, column, prefix + word, edits)
        case _:
            assert_never(query)


def _placed(column: str, way: Placing) -> IndexQuery:
    """Return what finds words that stand in just these places."""
    wanted: list[str | tuple[int, str]] = list(way)
    return IndexQuery.phrase_query(_CONVERSATIONS, column, wanted)


def _any_of(queries: list[IndexQuery]) -> IndexQuery:
    return IndexQuery.boolean_query([(Occur.Should, each) for each in queries])


def _contained(regex: str) -> str | None:
    """Return the regular expression of the plain text that a word is to contain, if it is that."""
    found = _CONTAINING.fullmatch(regex)
    if found is None or len(_ESCAPE.sub("", found[1])) > END_MAX:
        return None
    return found[1]


def _present(column: str, prefix: str) -> IndexQuery:
    if column in _ALWAYS_PRESENT:
        return IndexQuery.all_query()
    if prefix:
        return IndexQuery.term_query(_CONVERSATIONS, column, prefix)
    return IndexQuery.regex_query(_CONVERSATIONS, column, ".+")


def _numbers(field: str, low: int | None, high: int | None) -> IndexQuery:
    if low is None and high is None:
        return IndexQuery.all_query()
    if low == high:
        return IndexQuery.term_query(_CONVERSATIONS, field, low)
    return IndexQuery.range_query(_CONVERSATIONS, field, FieldType.Integer, low, high)


def _combined(
    must: Iterable[Query], should: Iterable[Query], must_not: Iterable[Query]
) -> IndexQuery:
    clauses = ((Occur.Must, must), (Occur.Should, should), (Occur.MustNot, must_not))
    return IndexQuery.boolean_query(
        [(occur, _translated(each)) for occur, queries in clauses for each in queries]
    )
