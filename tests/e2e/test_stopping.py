"""How a system ends: in order, leaving nothing behind and losing nothing (design: §10)."""

import os
import signal

from tests.e2e import platforms, program
from tests.e2e.client import Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running, until

_UNUSED = ("log_monitor.py", "autoscaler/_private/monitor.py", "dashboard/dashboard.py")
"""What `ray.init` starts too; see `airy_ray.serve.system`."""
_SOON_S = 30.0
"""Half of the time for which Ray looks for its own process that has ended."""


def test_what_ray_starts_and_nobody_asks_does_not_run(platform: Running) -> None:
    titles = platform.processes().values()

    assert any("raylet" in title for title in titles)
    assert not [title for title in titles if any(script in title for script in _UNUSED)]


def test_a_system_on_sigterm_ends_in_order_and_leaves_no_process_and_no_loss(
    guarded: Running,
) -> None:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        channel = client.connect_agent("agent")
        body = platforms.agent_body("agent", "ada", "m1", "Hi", "2025-11-21T08:00:00.000Z")
        headers = platforms.signed_by_google(body)
        assert client.send("/google", body, headers).status_code == 200
    processes = guarded.processes()
    code, left = guarded.stop()

    assert len(processes) > 8
    assert (code, left) == (0, {})
    assert guarded.output.endswith("Ctrl-C stops it\n"), "nothing is said about what went well"
    with program.started(guarded.home) as again, Client(again.url) as client:
        client.http.headers["authorization"] = SYSTEM_TOKEN
        found = until(lambda: client.conversations(channel["id"]))
        assert found[0]["last_message"]["metadata"]["source"]["id"] == "m1"
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(program.STOP_S) == 0


def test_a_system_each_process_of_which_is_sent_sigterm_ends_soon_and_leaves_none(
    guarded: Running,
) -> None:
    """As a service manager does it, and `timeout`: Ray's own processes end at once."""
    with program.started(guarded.home) as running:
        processes = running.processes()
        os.killpg(running.process.pid, signal.SIGTERM)

        assert running.process.wait(_SOON_S) == 0
        assert until(lambda: not program.alive(processes))
