"""What is found in the bytes of a damaged log, and what a check finds wrong with it."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.rawlog.record import opened, prepare, stored
from airy_ray.rawlog.salvage import facts_in, records_in
from airy_ray.rawlog.tail import LogTail, Segment, create
from tests import builders
from tests.log_builders import prepared, webhooks


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of 100 records, from 5 bytes to several pages, with a manifest and a fact."""
    sizes = (5, 500, 3_000, 20_000)
    records = [builders.record(bytes([n]) * sizes[n % 4]) for n in range(100)]
    with closing(LogTail(tmp_path)) as tail:
        tail.append(prepared(records))
        tail.add_segment(Segment(0, 9, "raw/file", b"digest", 100, 1))
        tail.put("forwarded", b"12345678")
    return tmp_path / "log.1"


def test_all_records_are_found_without_the_tree(log: Path) -> None:
    found = records_in(log / "data.mdb")

    assert sorted(found) == list(range(100))
    assert [opened(found[n], n).body[0] for n in range(100)] == list(range(100))


def test_what_is_whole_behind_lost_headers_is_found(log: Path) -> None:
    file = log / "data.mdb"
    content = file.read_bytes()
    file.write_bytes(bytes(8_192) + content[8_192:])

    assert sorted(records_in(file)) == list(range(100))


def test_a_record_that_is_not_whole_is_not_found(log: Path) -> None:
    file = log / "data.mdb"
    content = bytearray(file.read_bytes())
    content[content.index(bytes([50]) * 3_000) + 1_500] ^= 1
    file.write_bytes(content)

    assert set(range(100)) - set(records_in(file)) == {50}


def test_a_record_inside_of_another_s_body_is_its_content(tmp_path: Path) -> None:
    forged = stored(prepare(builders.record(b"forged", at=builders.NOW + 1)), 0)
    with closing(LogTail(tmp_path)) as tail:
        tail.append(prepared([builders.record(b"true"), builders.record(b"x" + forged)]))

    found = records_in(tmp_path / "log.1" / "data.mdb")

    assert opened(found[0], 0).body == b"true"


def test_of_two_records_for_one_offset_the_later_counts(tmp_path: Path) -> None:
    old = stored(prepare(builders.record(b"never committed", at=1)), 0)
    new = stored(prepare(builders.record(b"committed", at=2)), 0)
    (tmp_path / "file").write_bytes(new + bytes(100) + old)

    assert records_in(tmp_path / "file") == {0: new}


@pytest.mark.parametrize("content", [None, b"", b"AR\x01", b"AR\x01\x00", b"AF\x01\x00\xff"])
def test_nothing_is_found_in_nothing(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "data.mdb"
    if content is not None:
        file.write_bytes(content)

    assert (records_in(file), facts_in(file)) == ({}, [])


def test_small_rows_are_found_with_where_they_belong(log: Path) -> None:
    found = facts_in(log / "data.mdb")

    assert {(fact.table, fact.key) for fact in found} == {
        ("archives", bytes(8)),
        ("meta", b"forwarded"),
    }
    assert b"12345678" in [fact.row for fact in found]


def test_a_check_of_a_whole_log_finds_nothing(tmp_path: Path) -> None:
    create(tmp_path, 1, _values(), [], {"base": bytes(8)})

    assert _checked(tmp_path / "log.1") == (0, "")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        pytest.param({7: None}, "offsets 7 to 7 are missing", id="gap"),
        pytest.param({0: None, 1: None}, "offsets 0 to 1 are missing", id="beginning"),
        pytest.param({3: b"AR"}, "offset 3 is damaged", id="damaged"),
    ],
)
def test_a_check_names_the_offsets_that_are_wrong(
    tmp_path: Path, values: dict[int, bytes | None], problem: str
) -> None:
    damaged = dict(_values()) | values
    create(tmp_path, 1, [(o, value) for o, value in damaged.items() if value is not None], [], {})

    code, said = _checked(tmp_path / "log.1")

    assert (code, problem in said) == (1, True), said


def test_a_check_looks_for_the_records_behind_the_archive(tmp_path: Path) -> None:
    archived = [Segment(0, 4, "raw/file", b"", 0, 1)]
    create(tmp_path, 1, _values()[6:], archived, {})

    assert "offsets 5 to 5 are missing" in _checked(tmp_path / "log.1")[1]


@pytest.mark.parametrize("cut_at", [4_096, 8_192, 20_000])
def test_a_check_survives_a_file_that_kills_whoever_reads_it(log: Path, cut_at: int) -> None:
    file = log / "data.mdb"
    file.write_bytes(file.read_bytes()[:cut_at])

    assert _checked(log)[0] not in (0, 2)


def _values() -> list[tuple[int, bytes]]:
    return [(offset, stored(prepare(each), offset)) for offset, each in enumerate(webhooks(10))]


def _checked(log: Path) -> tuple[int, str]:
    checked = subprocess.run(
        [sys.executable, "-m", "airy_ray.rawlog.check", str(log)],
        capture_output=True,
        text=True,
        check=False,
    )
    return checked.returncode, checked.stdout.strip()
