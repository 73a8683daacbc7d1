"""What filters mean: Lucene's classic query parser (contract: platform API §8.2, §8.3)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import FilterError
from airy_ray.filters import syntax, tokens
from airy_ray.filters.query import (
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
from airy_ray.filters.syntax import parse
from airy_ray.filters.words import words

A, B, C = (Word("id", name) for name in "abc")


def name(word: str) -> Word:
    return Word("display_name", word)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("a", A, id="one"),
        pytest.param("a b", Combined(should=(A, B)), id="side by side"),
        pytest.param("a OR b", Combined(should=(A, B)), id="or"),
        pytest.param("a || b", Combined(should=(A, B)), id="or as sign"),
        pytest.param("a AND b", Combined(must=(A, B)), id="and"),
        pytest.param("a && b", Combined(must=(A, B)), id="and as sign"),
        pytest.param("a AND b OR c", Combined(must=(A, B), should=(C,)), id="no precedence"),
        pytest.param("a OR b AND c", Combined(must=(B, C), should=(A,)), id="nor the other way"),
        pytest.param("a b AND c", Combined(must=(B, C), should=(A,)), id="only its neighbours"),
        pytest.param("+a b", Combined(must=(A,), should=(B,)), id="plus"),
        pytest.param("a -b", Combined(should=(A,), must_not=(B,)), id="minus"),
        pytest.param("a !b", Combined(should=(A,), must_not=(B,)), id="exclamation mark"),
        pytest.param("a!b", Combined(should=(A,), must_not=(B,)), id="which ends a word"),
        pytest.param("a AND NOT b", Combined(must=(A,), must_not=(B,)), id="and not"),
        pytest.param("NOT a AND b", Combined(must=(B,), must_not=(A,)), id="not stays not"),
        pytest.param("NOT a", Nothing(), id="only not"),
        pytest.param("-a -b", Nothing(), id="only minus"),
        pytest.param("(NOT a) AND b", Combined(must=(Nothing(), B)), id="only not in a group"),
        pytest.param(
            "a AND (b OR c)", Combined(must=(A, Combined(should=(B, C)))), id="a group"
        ),
        pytest.param("and or not", Combined(should=(Word("id", "and"), Word("id", "or"),
            Word("id", "not"))), id="lower case operators are words"),
        pytest.param("- a", Combined(should=(Word("id", "-"), A)), id="a lone operator is a word"),
        pytest.param("a^2 (b)^0.5", Combined(should=(A, B)), id="boosts weigh nothing"),
        pytest.param('""', Nothing(), id="a phrase of nothing"),
        pytest.param('a AND ""', A, id="nothing asked beside something"),
    ],
)  # fmt: skip
def test_clauses_are_combined_as_the_classic_parser_does(text: str, meant: Query) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("*:*", Everything(), id="everything"),
        pytest.param("id:*", Present("id"), id="any id"),
        pytest.param("*:a", Nothing(), id="any field"),
        pytest.param("display_name:Ada", name("ada"), id="word"),
        pytest.param("metadata.State:OPEN", Word("metadata.State", "open"), id="metadata"),
        pytest.param("nothing_like_it:a", Nothing(), id="unknown field"),
        pytest.param("last_message_at:[1 TO 2]", Nothing(), id="field to sort by"),
        pytest.param('id:"a\\-b"', Word("id", "a-b"), id="id in quotes"),
        pytest.param("source:Custom", Word("source", "custom"), id="source in any case"),
        pytest.param(
            'display_name:"Ada  Lovelace"',
            Phrase("display_name", ("ada", "lovelace")),
            id="phrase",
        ),
        pytest.param('display_name:"Ada"', name("ada"), id="phrase of one word"),
        pytest.param(
            'display_name:"a b"~3', Phrase("display_name", ("a", "b"), 3), id="sloppy phrase"
        ),
        pytest.param(
            "display_name:Ada\\ Lovelace",
            Combined(should=(name("ada"), name("lovelace"))),
            id="escaped space",
        ),
        pytest.param("display_name:\\u0041da", name("ada"), id="code point"),
        pytest.param("display_name:A*", Pattern("display_name", "a.*"), id="prefix"),
        pytest.param("display_name:*a?b*", Pattern("display_name", ".*a.b.*"), id="wildcards"),
        pytest.param("display_name:a.b*", Pattern("display_name", "a\\.b.*"), id="dot"),
        pytest.param("display_name:a\\*b*", Pattern("display_name", "a\\*b.*"), id="escaped star"),
        pytest.param("display_name:/A[db]a/", Pattern("display_name", "a[db]a"), id="regex"),
        pytest.param("display_name:ada~", Fuzzy("display_name", "ada", 2), id="fuzzy"),
        pytest.param("display_name:ada~1", Fuzzy("display_name", "ada", 1), id="one edit"),
        pytest.param("display_name:lovelace~0.9", name("lovelace"), id="similar enough"),
        pytest.param("display_name:'n", name("'n"), id="apostrophe"),
        pytest.param("metadata.a:[* TO *]", Present("metadata.a"), id="open range"),
        pytest.param("unread_count:2", Numbers("unread_count", 2, 2), id="number"),
        pytest.param("unread_count:[2 TO *]", Numbers("unread_count", 2, None), id="from"),
        pytest.param("unread_count:[* TO 2]", Numbers("unread_count", None, 2), id="up to"),
        pytest.param("unread_count:{1 TO 5}", Numbers("unread_count", 1, 5), id="inclusive"),
        pytest.param("unread_count:[-1 TO 5]", Numbers("unread_count", -1, 5), id="negative"),
        pytest.param(
            "created_at:[1600000000000 TO 1700000000000]",
            Numbers("created_at", 1_600_000_000_000, 1_700_000_000_000),
            id="beyond 32 bits",
        ),
        pytest.param(
            f"created_at:[0 TO {10**30}]", Numbers("created_at", 0, 2**63 - 1), id="beyond 64 bits"
        ),
        pytest.param("unread_count:*", Everything(), id="any number"),
        pytest.param(
            "display_name:(a AND b)", Combined(must=(name("a"), name("b"))), id="field of a group"
        ),
        pytest.param("display_name:(a id:b)", Combined(should=(name("a"), B)), id="unless told"),
    ],
)
def test_clauses_ask_for_fields(text: str, meant: Query) -> None:
    assert parse(text) == meant


def test_the_search_box_does_not_escape_what_was_typed() -> None:
    grace, hopper = Pattern("display_name", ".*grace"), Pattern("id", "hopper.*")

    assert parse("display_name:*Grace Hopper*") == Combined(should=(grace, hopper))


def test_fragments_of_the_inbox_are_joined_flat() -> None:
    text = "unread_count:[1 TO *] AND tag_ids:(x AND y) AND id:* AND NOT metadata.state:CLOSED"

    assert parse(text) == Combined(
        must=(
            Numbers("unread_count", 1, None),
            Combined(must=(Word("tag_ids", "x"), Word("tag_ids", "y"))),
            Present("id"),
        ),
        must_not=(Word("metadata.state", "closed"),),
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "(", ")", "()", "a)", "AND", "a AND", "OR a", "NOT", "a OR OR b", "+", "a -"),
        *("++a", "NOT NOT a", "a:", ":a", "a:b:c", "a:-b", "fo*:a", '"', "[1 TO", "[1]", "a^"),
        *("unread_count:x", "unread_count:[a TO 2]", "unread_count:1*", "unread_count:1~", "/"),
        *("unread_count:/1/", 'unread_count:"1 2"', "~", '"a"~~', "unread_count:1.5", "{1 TO 2"),
        *("^2", "\\", "display_name:[a TO b]"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)

    assert str(caught.value).startswith("Failed to parse Lucene query: ")
    assert caught.value.reason


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * (tokens.LENGTH_MAX + 1), id="long"),
        pytest.param("(" * 5_000 + "a" + ")" * 5_000, id="deep"),
        pytest.param("a:" * 5_000 + "a", id="field of a field"),
        pytest.param("+" * 4_000 + "a", id="operators"),
        pytest.param("a " * (syntax.CLAUSES_MAX + 1), id="many clauses"),
        pytest.param("a AND b OR " * 1_500 + "c", id="many operators"),
        pytest.param("*a* " * (syntax.SCANS_MAX + 1), id="many wildcards"),
        pytest.param("*" + "a" * 300, id="long wildcard"),
        pytest.param("(((" * 3_000, id="open groups"),
        pytest.param("[" * 9_000, id="open ranges"),
        pytest.param('"' + "\\" * 9_999, id="open phrase"),
    ],
)
def test_what_asks_for_too_much_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


_PARTS = [
    *("AND", "OR", "NOT", "&&", "||", "!", "+", "-", "(", ")", ":", "^2", "~", "~1", "*", "?", " "),
    *('"', "/", "\\", "[", "]", "{", "}", " TO ", "a", "id:", "unread_count:", "display_name:"),
    "1",
]  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(_PARTS)).map("".join)))
def test_any_text_has_a_meaning_or_is_refused(text: str) -> None:
    try:
        meant: Any = parse(text)
    except FilterError:
        return
    assert isinstance(meant, Query)


@given(st.text(min_size=1).filter(str.strip))
def test_an_escaped_text_asks_for_its_words(text: str) -> None:
    escaped = "".join(f"\\{character}" for character in text)

    asked = parse(f"display_name:{escaped}")

    found = [asked] if isinstance(asked, Word) else getattr(asked, "should", ())
    assert [each.word for each in found] == words(text)
