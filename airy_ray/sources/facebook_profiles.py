"""Who writes to a page or an Instagram account, as Meta tells it (sources §1.4, §2).

A person's own node says the most, but not to every app, nor of every person. Then those who take
part in the conversation with a page are listed, with their names.
"""

from typing import Any
from urllib.parse import quote, urlencode

from airy_ray.sources import profiles
from airy_ray.sources.profiles import Profile
from airy_ray.sources.sending import Call, Refused, Reply
from airy_ray.sources.source import text_id
from airy_ray.sources.told import object_in, objects_in

_PERSON = "first_name,last_name,profile_pic"
_INSTAGRAM_PERSON = "name,profile_pic,username"


def person_call(graph_url: str, person: str, token: str) -> Call:
    """Return the call that asks for a person who writes to a page."""
    return _call(f"{graph_url}/{_segment(person)}", token, {"fields": _PERSON})


def participants_call(graph_url: str, person: str, token: str) -> Call:
    """Return the call that asks who takes part in the conversation with a person."""
    asked = {"platform": "messenger", "user_id": person, "fields": "participants"}
    return _call(f"{graph_url}/me/conversations", token, asked)


def instagram_call(graph_url: str, person: str, token: str) -> Call:
    """Return the call that asks for a person who writes to an account."""
    return _call(f"{graph_url}/{_segment(person)}", token, {"fields": _INSTAGRAM_PERSON})


def messenger_profile(person: str, reply: Reply) -> Profile | Refused:
    """Return what either of the calls for a page tells."""
    told = reply.told()
    if "data" in told:
        return _known(_name_of(told, person), None)
    name = profiles.full_name(told.get("first_name"), told.get("last_name"))
    return _known(name, told.get("profile_pic"))


def instagram_profile(reply: Reply) -> Profile | Refused:
    """Return what the call for an account tells; who gave no name has one to log in with."""
    told = reply.told()
    names = (told.get("name"), told.get("username"))
    name = next((each for each in names if isinstance(each, str) and each.strip()), None)
    return _known(name, told.get("profile_pic"))


def _known(name: object, picture: object) -> Profile | Refused:
    return profiles.known(profiles.contact_values({"display_name": name, "avatar_url": picture}))


def _call(url: str, token: str, asked: dict[str, str]) -> Call:
    headers = {"authorization": f"Bearer {token}"}
    return Call("GET", f"{url}?{urlencode(asked, safe=',')}", headers, b"", profiles.WAIT_S)


def _segment(person: str) -> str:
    return quote(person, safe="")


def _name_of(told: dict[str, Any], person: str) -> object:
    """Return the name of a person among those who take part in a conversation."""
    for conversation in objects_in(told, "data"):
        for participant in objects_in(object_in(conversation, "participants"), "data"):
            if text_id(participant.get("id")) == person:
                return participant.get("name")
    return None
