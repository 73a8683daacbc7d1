"""Runs the FastAPI and PostgreSQL inbox: a fresh database, and one uvicorn worker before it."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from airy_ray.serve.ports import free_port
from benchmarks.measuring import ROOT, BenchmarkError, temporary_directory
from benchmarks.system import APP_SECRET, running, wait_until

_START_S = 60.0


@contextlib.contextmanager
def fastapi_inbox() -> Iterator[str]:
    """Run the inbox until the block ends; yield its address."""
    if importlib.util.find_spec("asyncpg") is None:
        raise BenchmarkError(f"asyncpg is missing: {sys.executable} -m pip install asyncpg")
    with database() as database_port:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "uvicorn", "benchmarks.peers.fastapi_inbox:app"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop"]
        command += ["--http", "httptools", "--no-access-log", "--log-level", "warning"]
        environment = {
            **os.environ,
            "PEER_DSN": f"postgresql://peer@127.0.0.1:{database_port}/postgres",
            "PEER_APP_SECRET": APP_SECRET,
        }
        with running(command, cwd=ROOT, env=environment) as process:
            wait_until(lambda: _answers(url), "uvicorn", timeout_s=_START_S, process=process)
            yield url


def version() -> str:
    """Return which PostgreSQL is measured."""
    told = subprocess.run([_program("postgres"), "--version"], capture_output=True, text=True)
    return told.stdout.strip()


@contextlib.contextmanager
def database() -> Iterator[int]:
    """Run a fresh PostgreSQL with its own defaults, synchronous commits on; yield its port."""
    account = _account()
    identity: dict[str, Any] = {}
    with temporary_directory() as base:
        if account is not None:
            shutil.chown(base, account.pw_name, account.pw_gid)
            identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        data, port = base / "data", free_port()
        make = [_program("initdb"), "-D", str(data), "-U", "peer", "-A", "trust", "-E", "UTF8"]
        made = subprocess.run(
            [*make, "--locale=C"], capture_output=True, text=True, cwd=base, **identity
        )
        if made.returncode != 0:
            raise BenchmarkError(f"initdb: {made.stderr.strip()[-500:]}")
        command = [_program("postgres"), "-D", str(data), "-p", str(port), "-k", str(base)]
        for setting in ("listen_addresses=127.0.0.1", "synchronous_commit=on", "fsync=on"):
            command += ["-c", setting]
        fast_shutdown = signal.SIGINT
        with (
            (base / "log").open("wb") as log,
            running(command, stop=fast_shutdown, cwd=base, stderr=log, **identity) as process,
        ):
            wait_until(
                lambda: b"ready to accept connections" in (base / "log").read_bytes(),
                "PostgreSQL",
                timeout_s=_START_S,
                process=process,
            )
            yield port


def _account() -> pwd.struct_passwd | None:
    """Return whom to run PostgreSQL as, which refuses root; None for whoever we are."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise BenchmarkError("there is no user postgres to run PostgreSQL as") from None


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))  # where Debian has them
    if not versions:
        raise BenchmarkError("PostgreSQL is missing: apt-get install postgresql")
    return str(versions[-1])


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/messages", timeout=5).status_code == 200
    return False
