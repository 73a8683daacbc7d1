"""What waits: records for their channel or alias, until the registry or a source tells of it."""

from airy_ray.model.events import AliasKnown, ChannelSeen, WaitingFor
from airy_ray.model.ids import ChannelId
from airy_ray.projections import keys
from airy_ray.projections.view import KnownChannel, Outgoing, View, Waiting

REROUTE = "reroute"
"""Kind of an outgoing record that has no body of its own: route the record named in it again, with
the events that nobody could take."""
ROUTE_ANEW = "route anew"
"""The same with the events that belong elsewhere than was thought when it came in."""
JOIN = "join"
"""The same with the events of contacts who are known by another name since."""
RESEND = "resend"
"""The same with all of its events."""
RETRY = "retry"
"""The same as it is: its own partition is to fold it again."""


def wait(view: View, event: WaitingFor) -> None:
    """Keep a record that could not be routed until what it waits for is known.

    That may have happened between its routing and now: then it is routed again at once.
    """
    known = view.channels.get(event.waits_for)
    if (known is not None and known.connected) or view.aliases.get(event.waits_for) is not None:
        _reroute(view, view.position)
        return
    key = keys.waiting(event.waits_for, view.position)
    view.orphans.put(key, Waiting(view.position, event.received_at))


def channel_seen(view: View, event: ChannelSeen) -> None:
    """Note how a channel is now; one that is connected releases what waited for it."""
    known = KnownChannel(event.source, event.source_channel_id, event.connected)
    view.channels.put(event.channel_id, known)
    if event.connected:
        _release(view, waits_for_channel(event.channel_id))


def alias_known(view: View, event: AliasKnown) -> None:
    """Keep an alias and release what waited for it."""
    key = keys.alias(event.source, event.kind, event.key)
    view.aliases.put(key, event.place)
    _release(view, key)


def waits_for_channel(channel: ChannelId) -> bytes:
    """Return the key under which records wait for a channel."""
    return channel


def route_anew(view: View, position: int) -> None:
    """Have the events of a record that have no route found one, and appended where it leads."""
    view.send(_of_record(ROUTE_ANEW, position))


def join(view: View, position: int) -> None:
    """Have the events of a record whose contacts have another name appended where it leads."""
    view.send(_of_record(JOIN, position))


def _release(view: View, waits_for: bytes) -> None:
    for key, waiting in view.orphans.under(waits_for):
        view.orphans.delete(key)
        _reroute(view, waiting.offset)


def _reroute(view: View, position: int) -> None:
    view.send(_of_record(REROUTE, position))


def _of_record(kind: str, position: int) -> Outgoing:
    return Outgoing(slot=None, kind=kind, source="", body=position.to_bytes(8, "big"))
