"""One system at most runs on a data directory, and it is known which."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airy_ray.cli.running import only_one, running_on, was_killed
from airy_ray.errors import ConfigError
from airy_ray.storage.beacon import started

URL = "http://127.0.0.1:8000"

_RUNS = """
import sys, time
from pathlib import Path
from airy_ray.cli.running import only_one
with only_one(Path(sys.argv[1]), "http://127.0.0.1:1"):
    print("runs", flush=True)
    time.sleep(60)
"""


def test_nothing_runs_where_nothing_was_started(tmp_path: Path) -> None:
    assert running_on(tmp_path) is None
    assert not was_killed(tmp_path)


def test_who_runs_is_known_before_and_after_it_is_ready(tmp_path: Path) -> None:
    with only_one(tmp_path, URL) as announcement:
        starting = running_on(tmp_path)
        announcement.ready()
        ready = running_on(tmp_path)

    assert starting is not None
    assert ready is not None
    assert (starting.pid, starting.url, starting.ready_at) == (os.getpid(), URL, None)
    assert (ready.pid, ready.since) == (starting.pid, starting.since)
    assert ready.ready_at is not None
    assert ready.ready_at >= ready.since


def test_a_second_one_is_refused_and_does_not_change_what_is_said(tmp_path: Path) -> None:
    with only_one(tmp_path, URL):
        with (
            pytest.raises(ConfigError, match="another airy-ray runs on"),
            only_one(tmp_path, "http://127.0.0.1:9"),
        ):
            pass
        running = running_on(tmp_path)

    assert running is not None
    assert running.url == URL


def test_one_that_stopped_in_order_does_not_run_and_was_not_killed(tmp_path: Path) -> None:
    with only_one(tmp_path, URL):
        pass

    assert running_on(tmp_path) is None
    assert not was_killed(tmp_path)


def test_one_that_was_killed_does_not_run_and_the_next_may(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _RUNS, str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"runs\n"
        child.send_signal(signal.SIGKILL)

    assert (running_on(tmp_path), was_killed(tmp_path)) == (None, True)
    with only_one(tmp_path, URL):
        assert running_on(tmp_path) is not None


def test_a_process_that_got_the_id_of_a_killed_one_is_not_taken_for_it(tmp_path: Path) -> None:
    known = started(os.getpid())
    assert known is not None
    said = f'{{"pid":{os.getpid()},"started":{known - 1},"url":"{URL}","since":1}}'
    (tmp_path / "up.lock").write_text(said)

    assert (running_on(tmp_path), was_killed(tmp_path)) == (None, True)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b'{"pid":1}'])
def test_a_lock_that_says_nothing_sensible_names_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "up.lock").write_bytes(content)

    assert running_on(tmp_path) is None
