"""What processes count, together."""

import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from airy_ray.serve.metrics import forget_dead

_COUNTING = """
import sys
from prometheus_client import Counter, Gauge
Gauge("held", "Now", multiprocess_mode="livesum").set(7)
Counter("taken", "Ever").inc(7)
print("counted", flush=True)
sys.stdin.read()
"""


def test_what_a_dead_process_held_is_not_told_and_what_it_counted_is(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _COUNTING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        alive = told(tmp_path)
        process.kill()

    assert {"held 7.0", "taken_total 7.0"} <= alive
    assert {"held 7.0", "taken_total 7.0"} & told(tmp_path) == {"taken_total 7.0"}


def told(directory: Path) -> set[str]:
    forget_dead(directory)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]
    return set(generate_latest(registry).decode().splitlines())
