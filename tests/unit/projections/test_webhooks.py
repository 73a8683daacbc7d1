"""Webhooks as the registry folds them."""

import json
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import (
    AnyCommand,
    DisableWebhook,
    PauseWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RotateKey,
    SubscribeWebhook,
    TestWebhook,
    UnsubscribeWebhook,
    UpdateWebhook,
)
from airy_ray.model.ids import format_id, parse_id
from airy_ray.model.webhook import Webhook, good_keys, wants
from airy_ray.projections.commands import carry_out
from airy_ray.projections.commands.webhooks import ORDERS_MAX, WEBHOOKS_MAX
from airy_ray.projections.view import Answer
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryView

HOOK = "5d41402a-bc4b-8a76-b971-9d911017c592"
DAY_MS = 86_400_000


class Registry:
    """What the commands of a test come to, one after the other."""

    def __init__(self) -> None:
        self.view = MemoryView()
        self._commands = 0

    def told(self, kind: type[AnyCommand], *, at: int = NOW, **fields: Any) -> Answer:
        self._commands += 1
        self.view.begin(self._commands)
        identifier = format_id(builders.command_id(f"{self._commands}"))
        command = kind(id=identifier, **fields)
        carry_out(self.view, command, b"as it is", Millis(at))
        answer = self.view.requests.get(parse_id(identifier))
        assert answer is not None
        return answer

    def of_hook(self, kind: type[AnyCommand], *, at: int = NOW, **fields: Any) -> Answer:
        return self.told(kind, at=at, webhook_id=HOOK, **fields)

    @property
    def hook(self) -> Webhook:
        found = self.view.webhooks.get(parse_id(HOOK))
        assert found is not None
        return found


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made.of_hook(
        SubscribeWebhook, url="https://a.org", signature_key="one", places={0: 7}, name="A"
    )
    return made


def test_a_webhook_is_shown_without_its_key(registry: Registry) -> None:
    answer = registry.of_hook(
        SubscribeWebhook, url="https://b.org", signature_key="secret", headers={"a": "b"}
    )

    assert answer.status == 200
    assert json.loads(answer.body) == {
        "id": HOOK,
        "name": None,
        "status": "Subscribed",
        "url": "https://b.org",
        "headers": {"a": "b"},
        "events": [],
        "filter": None,
        "paused": False,
        "reason": None,
    }
    assert good_keys(registry.hook, Millis(NOW)) == ["secret"]


def test_who_gives_no_id_gets_one(registry: Registry) -> None:
    made = json.loads(registry.told(SubscribeWebhook, url="https://b.org").body)

    assert parse_id(made["id"]) != parse_id(HOOK)
    assert registry.view.webhooks.get(parse_id(made["id"])) is not None


def test_it_begins_now_unless_another_instant_is_named(registry: Registry) -> None:
    assert (registry.hook.start_at, registry.hook.places) == (NOW, {0: 7})
    before = registry.hook.began
    registry.of_hook(SubscribeWebhook, url="https://a.org", start_at=0)

    assert (registry.hook.start_at, registry.hook.places) == (0, {})
    assert registry.hook.began > before


def test_what_is_not_given_stays(registry: Registry) -> None:
    registry.of_hook(UpdateWebhook, headers={"a": "b"}, events=("message.created",), filter="a")
    registry.of_hook(UpdateWebhook, url="https://b.org")
    hook = registry.hook

    assert (hook.url, hook.name, hook.headers) == ("https://b.org", "A", {"a": "b"})
    assert (hook.events, hook.filter) == (("message.created",), "a")
    assert good_keys(hook, Millis(NOW)) == ["one"]
    assert wants(hook, "message.created")
    assert not wants(hook, "channel.updated")
    registry.of_hook(UpdateWebhook, filter="", events=())
    assert (registry.hook.filter, registry.hook.events) == (None, ())


def test_who_is_subscribed_again_begins_anew(registry: Registry) -> None:
    began = registry.hook.began
    registry.of_hook(UnsubscribeWebhook)
    assert (registry.hook.status, registry.hook.began) == ("Unsubscribed", began)
    registry.of_hook(UpdateWebhook, status="Subscribed", places={0: 9})

    assert registry.hook.began > began
    assert registry.hook.places == {0: 9}
    registry.of_hook(UpdateWebhook, status="Subscribed", places={0: 99})
    assert registry.hook.places == {0: 9}


def test_a_pause_changes_nothing_else(registry: Registry) -> None:
    before = registry.hook
    registry.of_hook(PauseWebhook)
    assert not registry.hook.is_called
    registry.of_hook(ResumeWebhook)
    assert registry.hook == before


def test_two_keys_are_good_while_one_is_changed_for_another(registry: Registry) -> None:
    registry.of_hook(RotateKey, signature_key="two", former_valid_s=60)

    assert good_keys(registry.hook, Millis(NOW + 59_999)) == ["two", "one"]
    assert good_keys(registry.hook, Millis(NOW + 60_000)) == ["two"]
    registry.of_hook(RotateKey, signature_key="three", former_valid_s=60)
    assert good_keys(registry.hook, Millis(NOW)) == ["three", "two"]


def test_what_is_ordered_has_a_number_and_is_known_for_a_day(registry: Registry) -> None:
    assert registry.of_hook(TestWebhook).status == 202
    registry.of_hook(ReplayWebhook, failed_since=5)
    registry.of_hook(ReplayWebhook, since=1, until=2)
    registry.of_hook(ReplayWebhook, event_id="evt_1")
    orders = registry.hook.orders

    assert [each.kind for each in orders] == ["test", "failed", "range", "event"]
    assert [each.number for each in orders] == sorted({each.number for each in orders})
    assert (orders[1].since, orders[2].since, orders[2].until) == (5, 1, 2)
    registry.of_hook(TestWebhook, at=NOW + DAY_MS)
    assert len(registry.hook.orders) == 1


def test_nobody_orders_without_end(registry: Registry) -> None:
    for _ in range(ORDERS_MAX):
        assert registry.of_hook(TestWebhook).status == 202
    refused = registry.of_hook(TestWebhook)

    assert refused.status == 409
    assert b"100 tests and replays" in refused.body


def test_no_more_are_subscribed_than_can_be_called(registry: Registry) -> None:
    for _ in range(WEBHOOKS_MAX - 1):
        assert registry.told(SubscribeWebhook, url="https://b.org").status == 200

    assert registry.told(SubscribeWebhook, url="https://b.org").status == 409
    assert registry.of_hook(SubscribeWebhook, url="https://c.org").status == 200
    registry.of_hook(UnsubscribeWebhook)
    assert registry.told(SubscribeWebhook, url="https://b.org").status == 200
    assert registry.of_hook(UpdateWebhook, status="Subscribed").status == 409


def test_who_is_not_subscribed_is_ordered_nothing(registry: Registry) -> None:
    registry.of_hook(UnsubscribeWebhook)

    assert registry.of_hook(TestWebhook).status == 409


@pytest.mark.parametrize(
    "kind", [UpdateWebhook, UnsubscribeWebhook, PauseWebhook, ResumeWebhook, TestWebhook]
)
def test_who_is_not_known_cannot_be_changed(kind: type[AnyCommand]) -> None:
    assert Registry().of_hook(kind).status == 404


def test_that_the_platform_gives_one_up_is_told(registry: Registry) -> None:
    began = registry.hook.began
    registry.of_hook(DisableWebhook, began=began, reason="it is gone")
    registry.of_hook(DisableWebhook, began=began, reason="it is gone")
    [told] = [each for each in registry.view.changes if each.kind == "webhook.disabled"]

    assert (registry.hook.status, registry.hook.reason) == ("Unsubscribed", "it is gone")
    assert json.loads(told.event)["payload"] == {"id": HOOK, "name": "A", "reason": "it is gone"}
    assert b"a.org" not in told.event
    registry.of_hook(UpdateWebhook, status="Subscribed")
    registry.of_hook(DisableWebhook, began=began, reason="too late")
    assert (registry.hook.status, registry.hook.reason) == ("Subscribed", None)
