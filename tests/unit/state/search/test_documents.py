"""Rows as the search index holds them."""

from hypothesis import given
from hypothesis import strategies as st

from airy_ray.state.search.documents import END_MAX, ends


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1), max_size=3))
def test_what_is_in_a_word_is_the_beginning_of_one_of_its_ends(named: list[str]) -> None:
    found = list(ends(named))
    parts = {
        word[start:stop]
        for word in named
        for start in range(len(word))
        for stop in range(start + 1, min(len(word), start + END_MAX) + 1)
    }

    assert all(any(end.startswith(part) for end in found) for part in parts)
    assert all(end in parts for end in found)
