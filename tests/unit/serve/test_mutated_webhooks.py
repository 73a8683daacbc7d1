"""Bodies that are spoiled and rightly signed, over HTTP: each is taken, and logged as it came."""

import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airy_ray.cluster.layout import prepare_data
from airy_ray.cluster.machine import MachineSpec, machine_spec
from airy_ray.config import Settings
from airy_ray.model.events import ChannelStored
from airy_ray.model.ids import REGISTRY
from airy_ray.partition.fold import encode_event
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import opened
from airy_ray.rawlog.tail import LogTail
from airy_ray.serve.webhooks import Webhooks
from airy_ray.simulator.hooks import Hook, Secrets, hooks, telegram_hook
from airy_ray.sources.telegram import webhook_secret
from tests import builders, manifests
from tests.log_builders import owned, project, rows, settle
from tests.unit.sources.test_hostile import BODIES, VALUES, spelled, spoiled_often

SECRET = "a secret"
BOT_TOKEN = f"{manifests.TELEGRAM_BOT}:token"
CALLED_AT = "https://core.example.org"
SECRETS = Secrets(SECRET, SECRET, SECRET, SECRET, SECRET)
HOOKS: dict[str, Hook] = {
    **hooks(SECRETS, CALLED_AT),
    "telegram": telegram_hook(
        f"/webhooks/telegram/{manifests.TELEGRAM_BOT}", webhook_secret(BOT_TOKEN)
    ),
}
JSON_SOURCES = ("facebook", "google", "viber", "telegram", "whatsapp")
FORMS = [parse_qsl(body.decode(), keep_blank_values=True) for body in BODIES["twilio"]]

at_leisure = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Door:
    """Where webhooks are posted to, and what came in."""

    client: httpx.Client
    machine: MachineSpec
    sent: list[bytes] = field(default_factory=list)

    def post(self, source: str, body: bytes, signed: bytes | None = None) -> None:
        """Post a body, of which not all may be signed, as its platform does; it has to be taken."""
        path, headers = HOOKS[source](body if signed is None else signed)
        answered = self.client.post(path, content=body, headers=dict(headers))
        assert answered.status_code == 200
        self.sent.append(body)

    @property
    def _partitions(self) -> list[PartitionSpec]:
        return [each for each in self.machine.partitions if each.index != REGISTRY]

    def logged(self) -> set[bytes]:
        """Return the bodies that are in the logs."""
        found = set()
        for spec in self._partitions:
            with closing(LogTail(spec.directory)) as tail:
                found |= {opened(value, at).body for at, value in tail.read(0, 100_000)}
        return found

    def quarantined(self) -> int:
        """Fold all that came in; return how many records that failed for."""
        count = 0
        for spec in self._partitions:
            with owned(spec) as partition:
                settle(partition)
                count += len(rows(partition.state)["quarantine"])
        return count


def configured(data: Path) -> Settings:
    return Settings.model_validate(
        {
            "data": data,
            "partitions": 2,
            "http": {"public_url": CALLED_AT},
            "sources": {
                "facebook": {"app_secret": SECRET, "app_id": "1"},
                "google": {"partner_key": SECRET},
                "whatsapp": {"app_secret": SECRET},
                "twilio": {"auth_token": SECRET},
                "viber": {"auth_token": SECRET},
                "telegram": {"api_url": "http://127.0.0.1:9"},
            },
        }
    )


def connect_all(machine: MachineSpec) -> None:
    """Have the channels that the manifests speak of, and the bot with its token."""
    found = [each for source in manifests.SOURCES for each in manifests.channels(source).values()]
    bot = builders.channel(manifests.TELEGRAM_BOT, source="telegram", token=BOT_TOKEN)
    told = [encode_event(ChannelStored(each, {})) for each in (*found, bot)]
    records = [builders.record(each, kind="outcome", source="") for each in told]
    project(machine.partition(REGISTRY), records)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    wished = configured(tmp_path_factory.mktemp("mutated"))
    layout = prepare_data(wished)
    machine = machine_spec(wished, layout)
    connect_all(machine)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(Webhooks(wished, layout), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Door(client, machine)
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("source", JSON_SOURCES)
@at_leisure
@given(data=st.data())
def test_a_spoiled_body_is_taken(source: str, data: st.DataObject, door: Door) -> None:
    values = [pair for pair in VALUES[source] if not wraps_another(pair[0])]
    value, as_body = data.draw(st.sampled_from(values))
    for _ in range(data.draw(st.integers(1, 3))):
        value = spoiled_often(value, data.draw)

    door.post(source, as_body(value), spelled(value))


def wraps_another(value: Any) -> bool:
    """Whether a body is one of RCS, of which what is within is signed."""
    message = value.get("message")
    return isinstance(message, dict) and "data" in message


@pytest.mark.parametrize("source", JSON_SOURCES)
def test_a_body_with_broken_bytes_is_taken(source: str, door: Door) -> None:
    chance = random.Random(7)
    for body in BODIES[source]:
        if source == "google" and b'"data"' in body:
            continue  # of RCS: what is signed is within
        at = chance.randrange(len(body) + 1)
        door.post(source, body[:at] + chance.randbytes(3) + body[at + chance.randrange(4) :])


def changed_form(
    form: list[tuple[str, str]], draw: Callable[[st.SearchStrategy[Any]], Any]
) -> bytes:
    """Return a form with some of its fields gone, added, or of another value."""
    told = dict(form)
    names = st.one_of(st.sampled_from(sorted(told) or ["Body"]), st.text(max_size=10))
    for name in draw(st.lists(names, max_size=4)):
        if draw(st.booleans()):
            told.pop(name, None)
        else:
            told[name] = draw(st.text(max_size=30))
    return urlencode(told).encode()


@at_leisure
@given(data=st.data())
def test_a_changed_form_is_taken(data: st.DataObject, door: Door) -> None:
    form = data.draw(st.sampled_from(FORMS))

    door.post("twilio.sms", changed_form(form, data.draw))


def test_all_of_them_are_in_the_logs_as_they_came_and_can_be_folded(door: Door) -> None:
    """What came in before, in this module."""
    door.post("facebook", json.dumps({"object": "page"}).encode())

    assert set(door.sent) <= door.logged()
    assert door.quarantined() == 0
