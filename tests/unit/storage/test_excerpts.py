"""Excerpts in their slots: whole or not there, and gone without a trace."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.storage.excerpts import EXCERPT_BYTES, Excerpt, blank, locked, read, write

ADA, BOB = b"a" * 16, b"b" * 16

excerpts = st.dictionaries(
    st.integers(0, 30),
    st.builds(
        Excerpt,
        st.integers(0, 2**64 - 1),
        st.sampled_from([ADA, BOB]),
        st.binary(max_size=EXCERPT_BYTES + 2),
    ),
    max_size=20,
)


@given(written=excerpts, then=excerpts)
def test_what_was_written_last_is_read_but_not_what_is_forgotten(
    tmp_path_factory: pytest.TempPathFactory, written: dict[int, Excerpt], then: dict[int, Excerpt]
) -> None:
    directory = tmp_path_factory.mktemp("excerpts")
    path = directory / "hook"
    write(path, written)
    write(path, then)
    present = written | then
    marks = {slot: each.mark for slot, each in present.items()}

    assert read(path, marks) == {s: each.text[:EXCERPT_BYTES] for s, each in present.items()}
    assert blank(directory, {ADA})
    kept = {slot: each for slot, each in present.items() if each.about == BOB}
    assert read(path, marks) == {s: each.text[:EXCERPT_BYTES] for s, each in kept.items()}
    assert ADA not in path.read_bytes()


def test_an_excerpt_is_not_taken_for_the_one_that_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "hook"
    write(path, {3: Excerpt(1, ADA, b"before")})
    write(path, {3: Excerpt(2, BOB, b"after")})

    assert read(path, {3: 1}) == {}
    assert read(path, {3: 2, 4: 2}) == {3: b"after"}
    assert read(tmp_path / "none", {3: 2}) == {}


@pytest.mark.parametrize("damage", ["its beginning is lost", "its end is lost", "it is cut off"])
def test_what_a_power_cut_has_torn_is_not_read_and_goes_with_whoever_goes(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "hook"
    write(path, {0: Excerpt(1, BOB, b"whole"), 1: Excerpt(2, ADA, b"secret " * 100)})
    content = bytearray(path.read_bytes())
    slot_bytes = len(content) // 2
    match damage:
        case "its beginning is lost":
            content[slot_bytes : slot_bytes + 100] = bytes(100)
        case "its end is lost":
            content[-900:] = bytes(900)
        case _:
            del content[-500:]
    path.write_bytes(content)

    assert read(path, {0: 1, 1: 2}) == {0: b"whole"}
    assert blank(tmp_path, set())
    assert b"secret" not in path.read_bytes()
    assert read(path, {0: 1}) == {0: b"whole"}


def test_nothing_is_blanked_while_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "hook"
    write(path, {0: Excerpt(1, ADA, b"text")})
    with locked(tmp_path) as is_ours:
        assert is_ours
        assert not blank(tmp_path, {ADA})
        with locked(tmp_path) as is_others:
            assert not is_others

    assert blank(tmp_path, {ADA})
    assert read(path, {0: 1}) == {}


def test_where_nothing_was_ever_written_nothing_is_to_be_blanked(tmp_path: Path) -> None:
    assert blank(tmp_path / "none", {ADA})
