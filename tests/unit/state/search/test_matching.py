"""A filter says of one conversation what the search index says of it."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airy_ray.errors import FilterError
from airy_ray.filters.syntax import parse
from airy_ray.model import json_text
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.state.search.documents import conversation_document
from airy_ray.state.search.index import directory_of, write_position
from airy_ray.state.search.matching import compiled
from airy_ray.state.search.searching import SearchIndex
from airy_ray.state.search.writing import IndexWriter
from tests import builders

TAGS = ["0ee61a4f-9d9b-8c2d-8000-000000000001", "0ee61a4f-9d9b-8c2d-8000-000000000002"]
WORDS = ["ada", "Adá", "grace", "hopper", "a.b", "x", "5", "of"]

words = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
metadata = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["OPEN", "CLOSED"]),
        "tags": st.dictionaries(st.sampled_from(TAGS), st.just(""), max_size=2),
        "user_data": st.fixed_dictionaries(
            {}, optional={"note": words, "n": st.sampled_from([5, 5.0, True, None, [5, "x"]])}
        ),
    },
)
rows = st.builds(
    lambda name, unread, document: replace(
        builders.conversation("ada"),
        display_name=name or None,
        unread_count=unread,
        metadata=json_text.encode(document),
    ),
    words,
    st.integers(0, 3),
    metadata,
)
_word = st.sampled_from([*WORDS, "OPEN", "closed", "fals", "garce", "hoper", "adda", "true"])
_wildcards = st.lists(st.sampled_from(["*", "?", "a", "d", "e", "r", "."]), min_size=1, max_size=5)
phrases = st.tuples(st.lists(_word, min_size=2, max_size=4), st.integers(0, 3)).map(
    lambda each: '"' + " ".join(each[0]) + f'"~{each[1]}'
)
_values = st.one_of(
    _word,
    _wildcards.map("".join),
    st.just("*"),
    st.lists(_word, min_size=2, max_size=3).map(lambda each: '"' + " ".join(each) + '"'),
    phrases,
    st.tuples(_word, st.integers(0, 2)).map(lambda each: f"{each[0]}~{each[1]}"),
)
_texts = st.sampled_from(
    ["display_name", "metadata.state", "metadata.user_data.note", "metadata.user_data.n", "source"]
)
_clauses = st.one_of(
    st.tuples(_texts, _values).map(lambda each: f"{each[0]}:{each[1]}"),
    st.sampled_from(TAGS).map(lambda tag: f"tag_ids:{tag}"),
    st.sampled_from(
        [
            "*:*",
            "id:*",
            "tag_ids:*",
            "nothing:x",
            "unread_count:2",
            "unread_count:[1 TO *]",
            "unread_count:{0 TO 2}",
            "created_at:[0 TO 5]",
            "created_at:[1 TO *]",
            f'id:"{format_id(builders.conversation_id("ada"))}"',
            "channel_id:*",
        ]
    ),
)
filters = st.recursive(
    _clauses,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({' AND '.join(each)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({' OR '.join(each)})"),
        st.tuples(inner, inner).map(lambda each: f"({each[0]} AND NOT {each[1]})"),
        inner.map(lambda each: f"(NOT {each})"),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp())
    yield directory
    shutil.rmtree(directory)


def is_found(state: Path, row: Conversation, asked: str) -> bool:
    """Ask the index of a conversation alone."""
    directory = directory_of(state)
    shutil.rmtree(directory, ignore_errors=True)
    writer = IndexWriter(directory)
    writer.put_conversation(conversation_document(row))
    writer.commit()
    writer.close()
    write_position(directory, 1)
    return SearchIndex(state).search(parse(asked), 10).total == 1


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(row=rows, asked=filters)
def test_one_conversation_matches_what_the_index_finds_it_by(
    state: Path, row: Conversation, asked: str
) -> None:
    matches = compiled(parse(asked))

    assert matches(conversation_document(row)) is is_found(state, row, asked)


few = st.sampled_from(["ada", "grace", "x"])
"""So few that phrases have words twice, and texts the words of phrases."""


@settings(max_examples=150)
@given(
    text=st.lists(few, max_size=7),
    wanted=st.lists(few, min_size=2, max_size=4),
    slop=st.integers(0, 4),
)
@example(text=["ada"], wanted=["ada", "ada"], slop=1)
@example(text=["grace", "ada"], wanted=["ada", "grace"], slop=2)
def test_phrases_are_those_of_lucene(
    state: Path, text: list[str], wanted: list[str], slop: int
) -> None:
    asked = f'display_name:"{" ".join(wanted)}"~{slop}'
    row = builders.conversation("ada", display_name=" ".join(text) or None)
    found = compiled(parse(asked))(conversation_document(row))

    assert found is _has_sloppy_phrase(text, wanted, slop)
    assert found is is_found(state, row, asked)


def _has_sloppy_phrase(text: list[str], wanted: list[str], slop: int) -> bool:
    """Say it as Lucene does: of places, one for each word, how far those that moved are apart."""
    for places in permutations(range(len(text)), len(wanted)):
        if [text[place] for place in places] == wanted:
            moves = [place - index for index, place in enumerate(places)]
            if max(moves) - min(moves) <= slop:
                return True
    return False


@pytest.mark.parametrize(
    "asked", ['"a b"~512', '"a b c d e"~4', '"a b"~300 OR metadata.x:"a b"~300']
)
def test_phrases_whose_words_may_stand_in_too_many_ways_are_refused(asked: str) -> None:
    with pytest.raises(FilterError, match="too many ways"):
        parse(f"display_name:{asked}")


def test_words_far_apart_are_near_enough_if_they_may_be_that_far() -> None:
    matches = compiled(parse('display_name:"a b"~500'))
    apart = " ".join(["a", *["x"] * 500, "b"])

    assert matches(conversation_document(builders.conversation("ada", display_name=apart)))
    apart = " ".join(["a", *["x"] * 501, "b"])
    assert not matches(conversation_document(builders.conversation("ada", display_name=apart)))


def test_it_is_about_the_conversation_itself() -> None:
    row = builders.conversation("ada")
    other = replace(row, id=ConversationId(bytes(16)))
    matches = compiled(parse(f"id:{format_id(row.id)}"))

    assert matches(conversation_document(row))
    assert not matches(conversation_document(other))


@pytest.mark.parametrize("asked", ["display_name:/a+/", "id:* AND NOT metadata.x:/(a|b)*c/"])
def test_regular_expressions_are_not_listened_to(asked: str) -> None:
    with pytest.raises(FilterError, match="regular expressions"):
        compiled(parse(asked))


def test_no_wildcard_takes_long() -> None:
    matches = compiled(parse("display_name:" + "*a" * 100 + "*b"))
    row = builders.conversation("ada", display_name="a" * 2_000)

    assert not matches(conversation_document(row))
