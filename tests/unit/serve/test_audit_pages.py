"""Pages of the audit log, merged from all partitions."""

from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.projections.view import AuditEntry
from airy_ray.serve.api.audit import Found, merged

_FAR = 1 << 63
Log = list[tuple[int, AuditEntry]]


def log(partition: int, times: list[int]) -> Log:
    """Return one partition's entries, newest first; each says which it is."""
    entries = [
        (offset, AuditEntry(Millis(at), "ada", "a.b", f"{partition}:{offset}", 204))
        for offset, at in enumerate(sorted(times))
    ]
    return entries[::-1]


def find(entries: Log, position: int, size: int, looks: int) -> Found:
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
        entries, following = merged(found, positions, size)
        assert len(entries) <= size
        assert following != positions
        told += entries
        positions = following

    assert sorted(entry.subject or "" for entry in told) == sorted(
        entry.subject or "" for each in logs for _, entry in each
    )
    assert [entry.at for entry in told] == sorted((entry.at for entry in told), reverse=True)


def test_what_a_filter_left_out_may_make_a_page_empty_but_not_the_last() -> None:
    entries, following = merged([Found([], 7), Found(log(1, [5]), None)], [_FAR, _FAR], 3)

    assert (entries, following) == ([], [7, _FAR])
