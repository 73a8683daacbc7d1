"""Who writes to pages, as Meta tells it (contract: sources §1.4).

Everybody has a name, made of their id, unless it is said that it is another. Who keeps it to
themselves is a node that cannot be read, but takes part in conversations by name.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from airy_ray.simulator.graph_messages import GraphError

_FIRST = ("Ada", "Grace", "Katherine", "Alan", "Edsger", "Barbara", "Radia", "Jörg")
_LAST = ("Lovelace", "Hopper", "Johnson", "Turing", "Dijkstra", "Liskov", "Perlman", "Müller")
_FIELDS = {"id", "name", "first_name", "last_name", "profile_pic"}
_NODE = "(#100) Tried accessing nonexisting field ({0}) on node type (User)"


@dataclass(frozen=True)
class Person:
    """Somebody; `is_private` if apps may not read who it is."""

    first_name: str
    last_name: str
    is_private: bool = False

    @property
    def name(self) -> str:
        """The whole name."""
        return f"{self.first_name} {self.last_name}".strip()


class People:
    """All people, by the id under which a page knows them."""

    def __init__(self) -> None:
        self.named: dict[str, Person] = {}
        """Who has another name than the one that comes of their id."""
        self.asked: list[str] = []
        """Who was asked for, oldest first, whatever was answered."""

    def node(self, identifier: str, fields: str) -> dict[str, Any]:
        """Return some fields of a person."""
        self.asked.append(identifier)
        person = self._person(identifier)
        if person is None:
            raise GraphError(
                100,
                f"Unsupported get request. Object with ID '{identifier}' does not exist, cannot be "
                "loaded due to missing permissions, or does not support this operation.",
                "GraphMethodException",
                33,
            )
        wanted = [each for each in fields.split(",") if each]
        for each in wanted:
            if each not in _FIELDS:
                raise GraphError(100, _NODE.format(each))
        if person.is_private:
            raise GraphError(100, "(#100) No profile available for this user.", subcode=2018218)
        told = {
            "id": identifier,
            "name": person.name,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "profile_pic": f"https://platform-lookaside.example.org/psid={identifier}",
        }
        return {each: told[each] for each in [*wanted, "id"] if told[each]}

    def conversations(self, page: str, query: dict[str, str]) -> dict[str, Any]:
        """Return the conversation of a page with a person, and by name who takes part in it."""
        if query.get("platform", "messenger") != "messenger":
            raise GraphError(100, "(#100) Param platform must be one of {MESSENGER, INSTAGRAM}")
        identifier = query.get("user_id", "")
        self.asked.append(identifier)
        person = self._person(identifier)
        if person is None:
            return {"data": []}
        listed: dict[str, Any] = {"id": f"t_{identifier}"}
        if "participants" in query.get("fields", "").split(","):
            both = {page: f"Simulated page {page[-4:]}", identifier: person.name}
            listed["participants"] = {
                "data": [
                    {"name": name, "email": f"{each}@facebook.com", "id": each}
                    for each, name in both.items()
                ]
            }
        return {"data": [listed]}

    def _person(self, identifier: str) -> Person | None:
        if identifier in self.named:
            return self.named[identifier]
        if not identifier.isdecimal():
            return None
        one, other = blake2b(identifier.encode(), digest_size=2).digest()
        return Person(_FIRST[one % len(_FIRST)], _LAST[other % len(_LAST)])
