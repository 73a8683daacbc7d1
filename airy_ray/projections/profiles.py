"""Profiles of contacts, which their sources are asked for (sources §1.4).

1. A row waits for the courier: with the first message of a conversation whose source tells more if
   it is asked, and whenever somebody wishes to have the profile fetched again.
2. What comes of it is kept as `contact.fetch_state`. While that is there nobody asks again.
3. Folding a log again asks nobody: what came of each row is in the log as well.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import Place, ProfileFetched, ProfilePutOff
from airy_ray.model.ids import ConversationId
from airy_ray.model.metadata import EMPTY_DOCUMENT
from airy_ray.projections import keys, metadata
from airy_ray.projections.view import View, WantedProfile

FETCH_STATE = "contact.fetch_state"

TELLING_MORE = frozenset({"facebook", "instagram", "telegram"})
"""Sources that tell names, or pictures, only if they are asked."""
TELLING_IF_ASKED = TELLING_MORE | {"viber"}


def want(view: View, begun: Conversation, at: Millis) -> None:
    """Have the contact of a conversation that has just begun asked for, if that is of use."""
    if begun.source not in TELLING_MORE or not begun.source_conversation_id:
        return
    if begun.metadata != EMPTY_DOCUMENT:
        known = view.metadata.get(keys.metadata("conversation", begun.id, FETCH_STATE))
        if known is not None and not known.is_removed:
            return
    place = Place(begun.id, begun.channel_id, begun.source, begun.source_conversation_id)
    view.profiles.put(begun.id, WantedProfile(place, at, at))


def want_again(view: View, place: Place, at: Millis) -> bool:
    """Have a contact asked for once more, and now; return whether that is new.

    One that is due already may be on its way, and is left alone.
    """
    if place.source not in TELLING_IF_ASKED or not place.source_conversation_id:
        return False
    wanted = view.profiles.get(place.conversation_id)
    if wanted is not None and wanted.due_at <= at:
        return False
    view.profiles.put(place.conversation_id, WantedProfile(place, at, at))
    return True


def know(view: View, event: ProfileFetched) -> bool:
    """Keep what a source told of a contact, or that it told nothing; return whether it was wanted.

    What somebody has said of the contact since the profile was wanted stays.
    """
    conversation = event.conversation_id
    if _wanted(view, conversation, event.since) is None:
        return False
    view.profiles.delete(conversation)
    values = {
        key: value
        for key, value in event.values.items()
        if not _is_said_since(view, conversation, key, event.since)
    }
    values[FETCH_STATE] = b'"ok"' if event.values else b'"failed"'
    metadata.describe_conversation(view, conversation, values, event.at)
    return True


def put_off(view: View, event: ProfilePutOff) -> bool:
    """Note when a source is to be asked again; return whether the profile was wanted."""
    wanted = _wanted(view, event.conversation_id, event.since)
    if wanted is None or event.tries != wanted.tries + 1:
        return False
    later = msgspec.structs.replace(wanted, tries=event.tries, due_at=event.due_at)
    view.profiles.put(event.conversation_id, later)
    return True


def _wanted(view: View, conversation: ConversationId, since: Millis) -> WantedProfile | None:
    """Return the profile of a conversation that has been wanted since an instant."""
    wanted = view.profiles.get(conversation)
    return wanted if wanted is not None and wanted.since == since else None


def _is_said_since(view: View, conversation: ConversationId, key: str, since: Millis) -> bool:
    item = view.metadata.get(keys.metadata("conversation", conversation, key))
    return item is not None and item.at > since
