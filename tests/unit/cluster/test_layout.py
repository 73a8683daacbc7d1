"""Where things lie."""

import tempfile
from pathlib import Path

import pytest

from airy_ray.cluster.layout import run_directory

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
