"""Pages that are newest first, merged from all partitions; the audit log is one such list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.partition.newest import Found, cursor_of, merged, positions_of
from airy_ray.projections.view import AuditEntry

_FAR = 1 << 63
Log = list[tuple[int, AuditEntry]]


def log(partition: int, times: list[int]) -> Log:
    """Return one partition's entries, newest first; each says which it is."""
    entries = [
        (offset, AuditEntry(Millis(at), "ada", "a.b", f"{partition}:{offset}", 204))
        for offset, at in enumerate(sorted(times))
    ]
    return entries[::-1]


def when(entry: AuditEntry) -> int:
    return entry.at


def find(entries: Log, position: int, size: int, looks: int) -> Found[AuditEntry]:
    """Return what a partition has for a page, when only `looks` entries are looked at."""
    if position == 0:
        return Found([], None)
    left = [each for each in entries if each[0] < position]
    some = left[: min(size, looks)]
    return Found(some, some[-1][0] if some and len(some) < len(left) else None)


@given(
    times=st.lists(st.lists(st.integers(0, 9), max_size=8), min_size=1, max_size=4),
    size=st.integers(1, 5),
    looks=st.integers(1, 5),
)
def test_pages_give_every_entry_once_newest_first(
    times: list[list[int]], size: int, looks: int
) -> None:
    logs = [log(index, each) for index, each in enumerate(times)]
    positions = [_FAR] * len(logs)
    told: list[AuditEntry] = []
    while any(positions):
        found = [
            find(each, position, size, looks)
            for each, position in zip(logs, positions, strict=True)
        ]
        entries, following = merged(found, positions, size, when)
        assert len(entries) <= size
        assert following != positions
        assert all((each.offset, each.row) in logs[each.partition] for each in entries)
        told += [each.row for each in entries]
        positions = positions_of(cursor_of(following) or ".".join("0" * len(logs)), len(logs))

    assert sorted(entry.subject or "" for entry in told) == sorted(
        entry.subject or "" for each in logs for _, entry in each
    )
    assert [entry.at for entry in told] == sorted((entry.at for entry in told), reverse=True)


def test_what_a_filter_left_out_may_make_a_page_empty_but_not_the_last() -> None:
    found: list[Found[AuditEntry]] = [Found([], 7), Found(log(1, [5]), None)]
    entries, following = merged(found, [_FAR, _FAR], 3, when)

    assert (entries, following) == ([], [7, _FAR])


@pytest.mark.parametrize("cursor", ["", "1", "1.x", "1.2.3", "1.-2", "1.²", f"1.{1 << 64}"])
def test_what_is_no_cursor_of_two_partitions_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        positions_of(cursor, 2)
