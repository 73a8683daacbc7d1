"""Writes that a power cut leaves whole."""

import errno
import stat
from pathlib import Path

import pytest

from airy_ray.storage.files import is_no_space, remove_synced, write_synced


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "fact"
    write_synced(file, b"old")

    write_synced(file, b"new")

    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_only_its_owner_may_read_a_file(tmp_path: Path) -> None:
    write_synced(tmp_path / "secret", b"")

    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    write_synced(tmp_path / "mark", b"")

    remove_synced(tmp_path / "mark")
    remove_synced(tmp_path / "mark")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "is_full"),
    [
        pytest.param(errno.ENOSPC, True, id="disk"),
        pytest.param(errno.EDQUOT, True, id="quota"),
        pytest.param(errno.EIO, False, id="device error"),
        pytest.param(errno.EFBIG, False, id="file size limit"),
        pytest.param(None, False, id="no code"),
    ],
)
def test_only_a_lack_of_space_counts_as_one(code: int | None, is_full: bool) -> None:
    assert is_no_space(code) is is_full
