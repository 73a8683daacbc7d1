"""Webhooks at addresses of our own networks: none is called, and their attempts say why."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.cluster.webhook_backlog import Attempt
from airy_ray.model.ids import format_id
from tests import builders
from tests.e2e.receiver import Receiver, Reply
from tests.unit.cluster.test_delivering import working
from tests.unit.cluster.test_owner import until
from tests.unit.cluster.test_publishing import Publishing

HOSTS = {
    "private": "10.0.0.1",
    "private, 172": "172.16.0.1",
    "private, 192": "192.168.1.1",
    "of a carrier": "100.64.0.1",
    "private, IPv6": "[fc00::1]",
    "loopback": "127.0.0.1",
    "loopback, IPv6": "[::1]",
    "of nobody": "0.0.0.0",
    "link-local": "169.254.1.1",
    "link-local, IPv6": "[fe80::1]",
    "metadata": "169.254.169.254",
    "metadata, IPv6": "[fd00:ec2::254]",
    "IPv4 mapped": "[::ffff:127.0.0.1]",
    "IPv4 mapped, hexadecimal": "[::ffff:a9fe:a9fe]",
    "IPv4 translated": "[64:ff9b::7f00:1]",
    "hexadecimal": "0x7f000001",
    "a name": "localhost",
}
FORMS = {"decimal": "2130706433", "octal": "0177.0.0.1", "short": "127.1"}
"""Of 127.0.0.1, which resolvers understand."""


@pytest.fixture(scope="module")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    directory: Path = tmp_path_factory.mktemp("private")
    with working(directory) as post, closing(Publishing(post, Receiver())) as found:
        found.receiver.start()
        yield found


@pytest.fixture(scope="module")
def attempts(publishing: Publishing) -> dict[str, Attempt]:
    """The first attempt at each host, by what it is, after all were subscribed."""
    publishing.allows_private_networks = False
    hosts = HOSTS | FORMS
    hooks = {name: format_id(builders.command_id(name)) for name in hosts}
    for name, hook in hooks.items():
        url = f"http://{hosts[name]}:{publishing.receiver.port}/"
        publishing.subscribe_url(url, hook=hook)
    process = publishing.start()
    until(lambda: all(publishing.attempts(hook) for hook in hooks.values()))
    process.end()
    return {name: publishing.attempts(hook)[0] for name, hook in hooks.items()}


def reason(name: str) -> str:
    if name in FORMS:
        return "not a canonical IPv4 address"
    return "no address of the internet (webhooks.allow_private_networks)"


@pytest.mark.parametrize("name", [*HOSTS, *FORMS])
def test_none_is_called_and_the_attempts_say_why(
    name: str, attempts: dict[str, Attempt], publishing: Publishing
) -> None:
    attempt = attempts[name]

    assert (attempt.status, attempt.fate) == (None, "failed")
    assert reason(name) in attempt.error
    assert publishing.receiver.calls == []


def test_where_a_redirect_leads_is_not_called_and_its_status_is_told(
    publishing: Publishing, attempts: dict[str, Attempt]
) -> None:
    receiver, hook = publishing.receiver, format_id(builders.command_id("redirected"))
    receiver.decide = lambda _: Reply(307, {"location": f"{receiver.url}/private"})
    publishing.allows_private_networks = True  # else nobody here could redirect
    publishing.subscribe("/public", hook=hook)
    publishing.start()
    until(lambda: len(publishing.attempts(hook)) == 2)

    assert [each.status for each in publishing.attempts(hook)] == [307, 307]
    assert receiver.at("/private") == []
