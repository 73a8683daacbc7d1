"""What happens on the platforms: who wrote what to whom, and in which requests they tell of it."""

from dataclasses import dataclass

from airy_ray.clock import Millis


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation as its platform names it.

    Attributes:
        channel: the page, agent or website.
        contact: the person, or what stands for one; visitors of a website are numbered.
    """

    source: str
    channel: str
    contact: str


@dataclass(frozen=True, slots=True)
class Written:
    """A message that has to be found once a request with it was acknowledged.

    Attributes:
        key: tells it from all others, wherever it is met again.
        sent_at: None where the platform's clock does not count, but ours.
        content: JSON.
        identifier: its id in the API, where the answer told it.
    """

    thread: Thread
    key: str
    sent_at: Millis | None
    from_contact: bool
    content: bytes
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction to the message `key`, or its removal (`emoji` None)."""

    thread: Thread
    key: str
    emoji: str | None
    at: Millis


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook request, and how it is made.

    Attributes:
        due_s: when it is time for it, since the traffic began.
        delay_s: how long it is held up, so that later ones overtake it.
        repeat_after_s: when the same body is sent once more, from the first time on; 0 is at once.
    """

    source: str
    due_s: float
    body: bytes
    threads: tuple[Thread, ...]
    written: tuple[Written, ...] = ()
    reacted: tuple[Reacted, ...] = ()
    delay_s: float = 0.0
    repeat_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor of a website writes something, perhaps after coming back to the page."""

    due_s: float
    thread: Thread
    key: str
    content: bytes
    is_back: bool = False
    repeat_after_s: float | None = None


Planned = Delivery | Visit
