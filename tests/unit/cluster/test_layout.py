"""Where things lie."""

import tempfile
from pathlib import Path

import pytest

from airy_ray.cluster.layout import prepare_data, read_layout, run_directory
from airy_ray.config import Settings
from airy_ray.errors import ConfigError

_HAPROXY_SOCKET_MAX = 97
_HAPROXY_SOCKET = "h/" + "0" * 56 + "/admin.sock"
"""What Ray makes of where we tell it to put HAProxy's socket."""


@pytest.mark.parametrize("temporary", ["/tmp", "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T"])
def test_the_sockets_of_a_running_system_have_short_paths_wherever_temporary_files_go(
    temporary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", temporary)
    path = run_directory(tmp_path)
    path.rmdir()

    assert len(str(path / _HAPROXY_SOCKET)) <= _HAPROXY_SOCKET_MAX


def test_data_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("a file")

    with pytest.raises(ConfigError, match=r"data: .*: File exists"):
        prepare_data(Settings(data=data))
    with pytest.raises(ConfigError, match="is not a data directory"):
        read_layout(data)
