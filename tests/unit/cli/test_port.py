"""`up` waits for its port while what is left of a system that was killed still holds it."""

import socket
import threading
from pathlib import Path

import pytest

from airy_ray.cli import up
from airy_ray.config import Http, Settings
from airy_ray.errors import ConfigError

KILLED = '{"pid":1,"started":0,"url":"http://127.0.0.1:1","since":1}'


@pytest.fixture
def holding() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def settings(holding: socket.socket, data: Path) -> Settings:
    return Settings(data=data, http=Http(port=holding.getsockname()[1]))


def test_a_port_that_others_hold_is_refused_at_once(holding: socket.socket, tmp_path: Path) -> None:
    with holding, pytest.raises(ConfigError, match="cannot listen"):
        up._check_port(settings(holding, tmp_path))


def test_a_port_that_a_killed_system_still_holds_is_waited_for(
    holding: socket.socket, tmp_path: Path
) -> None:
    (tmp_path / "up.lock").write_text(KILLED)
    threading.Timer(0.3, holding.close).start()

    up._check_port(settings(holding, tmp_path))

    assert holding.fileno() == -1


def test_there_is_an_end_to_waiting_for_a_port(
    holding: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "up.lock").write_text(KILLED)
    monkeypatch.setattr(up, "_LEFTOVER_S", 0.1)

    with holding, pytest.raises(ConfigError, match="cannot listen"):
        up._check_port(settings(holding, tmp_path))
