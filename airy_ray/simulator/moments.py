"""A moment on a platform: what its webhooks tell of is made of it, and what becomes of that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from airy_ray.clock import Millis
from airy_ray.simulator.story import Reacted, Thread, Written


@dataclass(frozen=True, slots=True)
class Moment:
    """What an item is made of.

    Attributes:
        key: what its platform calls what is written in it.
        recent: the keys of messages that were written before, oldest first.
        name: what the person is called; each platform has names of its own for who has none.
    """

    random: Random
    thread: Thread
    key: str
    at: Millis
    app_id: str
    recent: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A part of a body that tells of one moment; all of the body, where there is one in each."""

    thread: Thread
    at: Millis
    text: bytes
    written: Written | None = None
    reacted: Reacted | None = None


Chances = Mapping[Callable[[Moment], Item], int]
"""What may happen, and how often it does in comparison."""


def happening(moment: Moment, chances: Chances) -> Item:
    """Return something that happens."""
    (kind,) = moment.random.choices(list(chances), weights=list(chances.values()))
    return kind(moment)
