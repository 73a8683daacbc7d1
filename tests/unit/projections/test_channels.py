import json
from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import events
from airy_ray.model.channel import Channel
from airy_ray.model.events import ChannelDescribed, ChannelDisconnected, ChannelSeen, ChannelStored
from airy_ray.model.ids import format_id
from tests import builders
from tests.fakes import MemoryView, folded

LATER = Millis(builders.NOW + 60_000)


def stored(metadata: dict[str, bytes] | None = None, **fields: Any) -> ChannelStored:
    return ChannelStored(builders.channel(**fields), {} if metadata is None else metadata)


def only(view: MemoryView) -> Channel:
    [(_, found)] = view.registry_channels.under(b"")
    return found


def seen(view: MemoryView) -> list[events.Event]:
    """Return what the partitions were told, in order."""
    assert all(outgoing.slot is None for outgoing in view.outgoing)
    return [msgspec.msgpack.decode(each.body, type=events.Event) for each in view.outgoing]


def test_a_channel_without_a_name_is_shown_with_one() -> None:
    found = only(folded(stored()))

    assert json.loads(found.metadata) == {"name": f"facebook {format_id(found.id)[-5:]}"}


def test_a_channel_is_shown_with_the_name_it_was_given() -> None:
    assert json.loads(only(folded(stored({"name": b'"Shop"'}))).metadata) == {"name": "Shop"}


def test_every_partition_is_told_how_a_channel_is() -> None:
    disconnected = ChannelDisconnected(builders.channel().id, LATER)
    view = folded(stored(), disconnected)
    identifier = builders.channel().id

    assert seen(view) == [
        ChannelSeen(identifier, "facebook", "page-1", connected=True),
        ChannelSeen(identifier, "facebook", "page-1", connected=False),
    ]


def test_a_disconnected_channel_loses_its_token_and_keeps_its_name() -> None:
    disconnected = ChannelDisconnected(builders.channel().id, LATER)
    found = only(folded(stored({"name": b'"Shop"'}), disconnected))

    assert (found.connected, found.token, found.changed_at) == (False, None, LATER)
    assert json.loads(found.metadata) == {"name": "Shop"}


def test_disconnecting_twice_is_told_once() -> None:
    disconnected = ChannelDisconnected(builders.channel().id, LATER)
    view = folded(stored(), disconnected)
    told = len(view.changes)

    assert len(folded(disconnected, onto=view).changes) == told


def test_what_is_unknown_cannot_be_disconnected_or_described() -> None:
    unknown = builders.unknown_channel_id()
    view = folded(
        ChannelDisconnected(unknown, LATER), ChannelDescribed(unknown, {"a": b"1.0"}, LATER)
    )

    assert view.rows() == {}
    assert view.changes == []


def test_a_channel_that_is_connected_again_keeps_its_metadata() -> None:
    disconnected = ChannelDisconnected(builders.channel().id, LATER)
    again = stored({"image_url": b'"https://x"'}, token="new")
    found = only(folded(stored({"name": b'"Shop"'}), disconnected, again))

    assert (found.connected, found.token) == (True, "new")
    assert json.loads(found.metadata) == {"name": "Shop", "image_url": "https://x"}


def test_events_show_a_channel_without_metadata_time_or_token() -> None:
    view = folded(stored({"name": b'"Shop"'}, token="the secret"))
    told = [change.event for change in view.changes]

    assert json.loads(told[0]) == {
        "type": "channel.updated",
        "timestamp": None,
        "payload": {
            "id": format_id(builders.channel().id),
            "source": "facebook",
            "source_channel_id": "page-1",
            "connected": True,
            "metadata": None,
        },
    }
    assert json.loads(told[1])["payload"]["metadata"] == {"name": "Shop"}
    assert b"the secret" not in b"".join(told)
