from airy_ray.model.events import AliasKnown
from airy_ray.projections import keys
from airy_ray.projections.view import KnownChannel, Outgoing
from airy_ray.projections.waiting import REROUTE, waits_for_channel
from tests import builders
from tests.builders import channel_seen, waiting_for
from tests.fakes import MemoryView, folded

PAGE = builders.channel().id
ALIAS = AliasKnown("whatsapp", "phone", "+49", builders.place())
ALIAS_KEY = keys.alias("whatsapp", "phone", "+49")


def rerouted(view: MemoryView) -> list[int]:
    """Return which records were to be routed again, by offset, in order."""
    assert all(outgoing.kind == REROUTE for outgoing in view.outgoing)
    return [int.from_bytes(outgoing.body, "big") for outgoing in view.outgoing]


def test_a_record_waits_until_its_channel_is_connected() -> None:
    view = folded(waiting_for(waits_for_channel(PAGE)))

    assert rerouted(view) == []
    assert rerouted(folded(channel_seen(), onto=view)) == [0]
    assert view.orphans.under(b"") == []


def test_all_that_waited_is_routed_again_in_the_order_it_came() -> None:
    view = folded(*(waiting_for(waits_for_channel(PAGE)) for _ in range(3)), channel_seen())

    assert rerouted(view) == [0, 1, 2]


def test_what_is_routed_again_goes_wherever_it_belongs() -> None:
    view = folded(waiting_for(waits_for_channel(PAGE)), channel_seen())

    assert view.outgoing == [Outgoing(slot=None, kind=REROUTE, source="", body=bytes(8))]


def test_what_waited_is_released_once() -> None:
    view = folded(waiting_for(waits_for_channel(PAGE)), channel_seen(), channel_seen())

    assert rerouted(view) == [0]


def test_a_channel_that_is_not_connected_releases_nothing() -> None:
    view = folded(waiting_for(waits_for_channel(PAGE)), channel_seen(connected=False))

    assert rerouted(view) == []
    assert view.channels.get(PAGE) == KnownChannel("facebook", "page-1", connected=False)


def test_another_channel_releases_nothing() -> None:
    view = folded(waiting_for(waits_for_channel(PAGE)), channel_seen(page="page-2"))

    assert rerouted(view) == []


def test_a_record_whose_channel_was_connected_meanwhile_does_not_wait() -> None:
    view = folded(channel_seen(), waiting_for(waits_for_channel(PAGE)))

    assert rerouted(view) == [1]
    assert view.orphans.under(b"") == []


def test_a_record_waits_for_a_channel_that_was_disconnected_again() -> None:
    view = folded(
        channel_seen(), channel_seen(connected=False), waiting_for(waits_for_channel(PAGE))
    )

    assert rerouted(view) == []
    assert len(view.orphans.under(b"")) == 1


def test_a_record_waits_until_its_alias_is_known() -> None:
    view = folded(waiting_for(ALIAS_KEY), ALIAS)

    assert rerouted(view) == [0]
    assert view.aliases.get(ALIAS_KEY) == builders.place()


def test_a_record_whose_alias_became_known_meanwhile_does_not_wait() -> None:
    assert rerouted(folded(ALIAS, waiting_for(ALIAS_KEY))) == [1]


def test_a_body_for_a_channel_that_nobody_connected_waits_with_its_record() -> None:
    waits_for = waits_for_channel(builders.unknown_channel_id())
    view = folded(waiting_for(waits_for, at=5))
    [(key, waiting)] = view.orphans.under(waits_for)

    assert (key, waiting.offset, waiting.received_at) == (keys.waiting(waits_for, 0), 0, 5)
