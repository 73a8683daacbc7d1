"""Full text: what is looked for, and how it is shown."""

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from airy_ray.filters.fulltext import WORDS_MAX, FullText, full_text, snippet


def shown(text: str, query: str) -> str:
    wanted = full_text(query)
    assert wanted is not None
    return snippet(text, wanted)


def test_all_words_but_the_last_are_whole() -> None:
    assert full_text("Where is, is my PARC") == FullText(("where", "is", "my"), "parc")


def test_without_a_word_there_is_nothing_to_look_for() -> None:
    assert full_text(" ?! ") is None


def test_of_very_many_words_some_are_looked_for() -> None:
    wanted = full_text(" ".join(map(str, range(1_000))))

    assert wanted is not None
    assert len(wanted.words) == WORDS_MAX - 1


def test_matches_are_marked_and_the_rest_is_no_markup() -> None:
    assert (
        shown("Is my <parcel> there?", "is parc") == "<em>Is</em> my &lt;<em>parcel</em>&gt; there?"
    )


def test_of_a_long_text_the_part_around_the_first_match_is_shown() -> None:
    text = "many words " * 50 + "needle" + " and more words" * 50
    part = shown(text, "needle")

    assert part.startswith("…")
    assert part.endswith("…")
    assert "<em>needle</em>" in part
    assert len(part) < 300


@given(st.text(), st.text().filter(lambda query: full_text(query) is not None))
def test_a_snippet_is_a_part_of_the_text(text: str, query: str) -> None:
    part = shown(text, query)

    plain = re.sub("</?em>", "", part)

    assert unescape(plain).strip("…") in text
