"""What is sent, decided before anything is: the same seed and start give the same requests.

Messages get the times of a clock that runs a minute behind, so that a command to mark everything
as read, whenever it comes, means all that was acknowledged before it.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import count, takewhile
from random import Random
from types import ModuleType
from uuid import UUID

from airy_ray.clock import Millis
from airy_ray.simulator import (
    business_messages,
    custom,
    instagram,
    messenger,
    telegram,
    twilio,
    viber,
    viber_api,
    website,
    whatsapp,
)
from airy_ray.simulator.moments import Item, Moment
from airy_ray.simulator.story import Delivery, Planned, Reacted, Thread, Visit, Written

_BEHIND_MS = 60_000
_RECENT_KEPT = 8
_HELD_UP_S_MAX = 3.0
_REPEATED_AFTER_S_MAX = 5.0
_VISITOR_IS_BACK = 0.03
_OTHERS: dict[str, ModuleType] = {
    instagram.SOURCE: instagram,
    whatsapp.SOURCE: whatsapp,
    twilio.SMS: twilio,
    twilio.WHATSAPP: twilio,
    viber.SOURCE: viber,
    telegram.SOURCE: telegram,
    custom.SOURCE: custom,
}
"""What the webhooks of other sources tell of, and how: each has `key`, `item` and `body`."""
_BATCHING = (instagram.SOURCE, whatsapp.SOURCE, custom.SOURCE)
"""Those with more than one item in a body."""
_IN_SECONDS = (whatsapp.SOURCE, telegram.SOURCE)
"""Those that tell of time no more exactly."""


@dataclass(frozen=True)
class Shape:
    """How much of what there is.

    Attributes:
        rate: requests a second, over all sources.
        duration_s: how long; None for as long as it is asked for more.
        conversations: how many people write, in each source.
        pages: how many Facebook pages they write to.
        duplicates: share of requests that are made twice.
        disorder: share of webhooks that are held up for up to three seconds.
        batches: share of bodies that carry items of several conversations, where they may.
        batch_items_max: how many items at most.
    """

    rate: float
    duration_s: float | None
    conversations: int = 50
    pages: int = 2
    duplicates: float = 0.1
    disorder: float = 0.1
    batches: float = 0.15
    batch_items_max: int = 8


@dataclass(frozen=True)
class Cast:
    """The names of one run: nothing in it was ever seen before.

    Attributes:
        pages: ids of Facebook pages.
        agent: id of the Google agent.
        site: name of the website.
        channels: what the channel of each other source is called there, if the source is played.
    """

    run: str
    pages: tuple[str, ...]
    agent: str
    site: str
    app_id: str
    channels: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """The id of the custom source."""
        return self.site


def cast(
    seed: int, began_at: Millis, *, pages: int, app_id: str, others: Collection[str] = ()
) -> Cast:
    """Return the names of the run with this seed that began then, in which other sources play."""
    digest = blake2b(f"{seed} {began_at}".encode(), digest_size=16).digest()
    run = digest[:4].hex()
    first = 10**14 + int.from_bytes(digest[:5], "big")
    agent = str(UUID(bytes=digest, version=4))
    ids = tuple(str(first + index) for index in range(pages))
    channels = {source: _channel(source, int(run, 16)) for source in others}
    return Cast(run, ids, agent, f"simulated-{run}", app_id, channels)


def _channel(source: str, run: int) -> str:
    """Return what a channel is called; Viber's is the one of its bot in all runs."""
    number = f"+1{2 * 10**9 + run}"
    return {
        instagram.SOURCE: str(17_841 * 10**12 + run),
        whatsapp.SOURCE: str(5 * 10**14 + run),
        twilio.SMS: number,
        twilio.WHATSAPP: f"whatsapp:{number}",
        viber.SOURCE: viber_api.ACCOUNT,
        telegram.SOURCE: str(7 * 10**9 + run),
        custom.SOURCE: custom.CHANNEL,
    }[source]


def thread_of(named: Cast, source: str, contact: int) -> Thread:
    """Return the conversation of a contact, whose name is theirs in this run alone."""
    if source == messenger.SOURCE:
        page = named.pages[contact % len(named.pages)]
        return Thread(source, page, f"{int(page) * 10 + contact}")
    if source == business_messages.SOURCE:
        name = UUID(bytes=blake2b(f"{named.run}{contact}".encode(), digest_size=16).digest())
        return Thread(source, named.agent, str(name))
    number = f"{10**14 + int(named.run, 16) * 10**4 + contact}"
    called = {twilio.SMS: f"+{number}", twilio.WHATSAPP: f"whatsapp:+{number}"}
    name_of_source = named.program if source == custom.SOURCE else source
    return Thread(name_of_source, named.channels[source], called.get(source, number))


class Traffic:
    """Plans requests, one after the other."""

    def __init__(self, shape: Shape, named: Cast, *, seed: int, began_at: Millis) -> None:
        self.named = named
        self._shape = shape
        self._random = Random(seed)  # noqa: S311 - nothing secret comes of it
        self._first_at = began_at - _BEHIND_MS
        self._recent: dict[Thread, deque[str]] = defaultdict(lambda: deque(maxlen=_RECENT_KEPT))
        self._reacted_at: dict[Thread, Millis] = {}
        self._keys = count()
        self._sources: dict[str, Callable[[float], Planned]] = {
            messenger.SOURCE: self._messenger,
            business_messages.SOURCE: self._google,
            website.SOURCE: self._visit,
        }
        for source in named.channels:
            self._sources[source] = partial(self._other, source)
        self._weights = [2 if each == messenger.SOURCE else 1 for each in self._sources]

    def planned(self) -> Iterator[Planned]:
        """Yield requests in the order in which it is time for them."""
        end_s = self._shape.duration_s
        dues = (index / self._shape.rate for index in count())
        for due_s in takewhile(lambda due_s: end_s is None or due_s < end_s, dues):
            (source,) = self._random.choices(list(self._sources), weights=self._weights)
            yield self._sources[source](due_s)

    def _messenger(self, due_s: float) -> Delivery:
        items = [self._item(due_s) for _ in range(self._item_count())]
        threads = tuple(dict.fromkeys(each.thread for each in items))
        return Delivery(
            messenger.SOURCE,
            due_s,
            messenger.body(items),
            threads,
            tuple(each.written for each in items if each.written is not None),
            tuple(each.reacted for each in items if each.reacted is not None),
            self._delay_s(),
            self._repeat_after_s(),
        )

    def _item_count(self) -> int:
        if self._random.random() >= self._shape.batches:
            return 1
        return self._random.randint(2, self._shape.batch_items_max)

    def _item(self, due_s: float) -> Item:
        thread = self._thread(messenger.SOURCE)
        recent = self._recent[thread]
        at = max(self._at(due_s), Millis(self._reacted_at.get(thread, -1) + 1))
        key = self._key(messenger, thread)
        item = messenger.item(
            Moment(self._random, thread, key, at, self.named.app_id, tuple(recent))
        )
        self._remember(thread, recent, item.written, item.reacted)
        return item

    def _remember(
        self, thread: Thread, recent: deque[str], written: Written | None, reacted: Reacted | None
    ) -> None:
        if written is not None:
            recent.append(written.key)
        if reacted is not None:
            self._reacted_at[thread] = reacted.at  # no two at one time: the last one counts

    def _other(self, source: str, due_s: float) -> Delivery:
        count = self._item_count() if source in _BATCHING else 1
        items = [self._other_item(source, due_s) for _ in range(count)]
        return Delivery(
            source,
            due_s,
            _OTHERS[source].body(items),
            tuple(dict.fromkeys(each.thread for each in items)),
            tuple(each.written for each in items if each.written is not None),
            tuple(each.reacted for each in items if each.reacted is not None),
            self._delay_s(),
            self._repeat_after_s(),
        )

    def _other_item(self, source: str, due_s: float) -> Item:
        thread = self._thread(source)
        recent = self._recent[thread]
        step = 1_000 if source in _IN_SECONDS else 1
        at = max(self._at(due_s), Millis(self._reacted_at.get(thread, -step) + step))
        key = self._key(_OTHERS[source], thread)
        moment = Moment(self._random, thread, key, at, self.named.app_id, tuple(recent))
        item: Item = _OTHERS[source].item(moment)
        self._remember(thread, recent, item.written, item.reacted)
        return item

    def _thread(self, source: str) -> Thread:
        return thread_of(self.named, source, self._random.randrange(self._shape.conversations))

    def _google(self, due_s: float) -> Delivery:
        thread, at = self._thread(business_messages.SOURCE), self._at(due_s)
        body, written = business_messages.event(
            self._random, thread, self._key(business_messages, thread), at
        )
        return Delivery(
            business_messages.SOURCE,
            due_s,
            body,
            (thread,),
            () if written is None else (written,),
            delay_s=self._delay_s(),
            repeat_after_s=self._repeat_after_s(),
        )

    def _visit(self, due_s: float) -> Visit:
        visitor = self._random.randrange(self._shape.conversations)
        thread = Thread(website.SOURCE, self.named.site, str(visitor))
        key = f"v_{self.named.run}{next(self._keys):08}"
        content = website.content(self._random, key)
        is_back = self._random.random() < _VISITOR_IS_BACK
        return Visit(due_s, thread, key, content, is_back, self._repeat_after_s())

    def _key(self, platform: ModuleType, thread: Thread) -> str:
        key: str = platform.key(thread, self.named.run, next(self._keys))
        return key

    def _at(self, due_s: float) -> Millis:
        return Millis(self._first_at + int(due_s * 1_000))

    def _delay_s(self) -> float:
        if self._random.random() >= self._shape.disorder:
            return 0.0
        return self._random.uniform(0, _HELD_UP_S_MAX)

    def _repeat_after_s(self) -> float | None:
        if self._random.random() >= self._shape.duplicates:
            return None
        is_at_once = self._random.random() < 0.5
        return 0.0 if is_at_once else self._random.uniform(0, _REPEATED_AFTER_S_MAX)
