"""Customers who are played: what they do becomes signed webhooks, and they see what is answered.

The system knows nothing of it: it gets what it would get of the platforms, and sends as ever.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from random import Random
from typing import TypeVar

from airy_ray.clock import now_millis
from airy_ray.simulator import business_messages, instagram, messenger
from airy_ray.simulator.graph_people import Person
from airy_ray.simulator.intake import Intake, Taken
from airy_ray.simulator.moments import Item, Moment
from airy_ray.simulator.phones import PHONES, Phone
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.postman import Postman
from airy_ray.simulator.screens import Kind, Part, parts_of
from airy_ray.simulator.stage import Bubble, Customer, Stage, State
from airy_ray.simulator.story import Delivery
from airy_ray.simulator.traffic import Cast, thread_of

NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing")
"""Who there is on each platform."""
PLACE = (52.516275, 13.377704)
TEXT_MAX = 4_000
EMOJI = ("👍", "❤️", "😆")

_Act = TypeVar("_Act")
_FIRST_KEY = 1_000_000
"""Above what Telegram as it is played calls the messages of bots: a chat counts both together."""
_UNDERWAY_MAX = 200
_CONTACTS_APART = 100


class PlayError(Exception):
    """A customer cannot do that: `status` is the one of HTTP."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(status, problem)
        self.status = status
        self.problem = problem


def customers_of(named: Cast) -> list[Customer]:
    """Return who is played in a run, source by source."""
    sources = [messenger.SOURCE, business_messages.SOURCE, *named.channels]
    return [
        Customer(
            f"{source}-{index}",
            source,
            name,
            thread_of(named, source, number * _CONTACTS_APART + index),
        )
        for number, source in enumerate(sources)
        for index, name in enumerate(NAMES)
    ]


class Playing:
    """Acts of customers, told in order for each of them; made inside of its event loop.

    Args:
        picture_url: where the system may fetch the picture that they send.
    """

    def __init__(
        self, named: Cast, platforms: Platforms, postman: Postman, *, picture_url: str
    ) -> None:
        self.stage = Stage(named.run)
        self.customers = {each.identifier: each for each in customers_of(named)}
        self._named = named
        self._postman = postman
        self._picture_url = picture_url
        self._random = Random(named.run)  # noqa: S311 - nothing secret comes of it
        self._numbers = count(1)
        self._keys = count(_FIRST_KEY)
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._underway: set[asyncio.Task[None]] = set()
        _introduce(self.customers.values(), platforms)
        self._listen(platforms)

    def say(self, customer: str, words: str) -> Bubble:
        """Have a customer write words."""
        if not words.strip():
            raise PlayError(400, "text: is empty")
        if len(words) > TEXT_MAX:
            raise PlayError(400, f"text: is longer than {TEXT_MAX} characters")
        if any(0xD800 <= ord(each) < 0xE000 for each in words):
            raise PlayError(400, "text: has half a character in it")
        moment = self._moment(customer)
        return self._write(
            customer, moment, "text", words, self._phone(customer).said(moment, words)
        )

    def send_picture(self, customer: str) -> Bubble:
        """Have a customer send the picture."""
        act = _able(self._phone(customer).pictured, "pictures")
        moment = self._moment(customer)
        item = act(moment, self._picture_url)
        return self._write(customer, moment, "picture", "A picture", item)

    def send_location(self, customer: str) -> Bubble:
        """Have a customer send a place."""
        act = _able(self._phone(customer).located, "places")
        moment = self._moment(customer)
        words = "Place: {}, {}".format(*PLACE)
        return self._write(customer, moment, "text", words, act(moment, *PLACE))

    def react(self, number: int, emoji: str | None) -> Bubble:
        """Have a customer put a reaction to a message for them, or take it back."""
        bubble = self._for_customer(number)
        act = _able(self._phone(bubble.customer).reacted, "reactions")
        if emoji is not None and emoji not in EMOJI:
            raise PlayError(400, f"emoji: is none of {' '.join(EMOJI)}")
        self._check_room()
        self._begin(bubble.customer, act(self._moment(bubble.customer), bubble.key, emoji))
        reacted = replace(bubble, reaction=emoji)
        self.stage.put(reacted)
        return reacted

    def see(self, number: int) -> None:
        """Have a customer look at a message for them, and so at all before it."""
        customer = self._for_customer(number).customer
        act = self._phone(customer).seen
        if act is None:
            return
        for bubble in self.stage.on_screen_of(customer):
            if bubble.state == "arrived" and bubble.number <= number:
                self.stage.put(replace(bubble, state="seen"))
                self._begin(customer, act(self._moment(customer), bubble.key))

    def _listen(self, platforms: Platforms) -> None:
        """See what each platform takes for the customers on it."""
        intakes = platforms.intakes(self._named, has_twilio=True)
        intakes[business_messages.SOURCE] = platforms.google.intake
        people: dict[Intake, dict[str, Customer]] = defaultdict(dict)
        for each in self.customers.values():
            people[intakes[each.thread.source]][each.thread.contact] = each
        for intake, on_it in people.items():
            intake.listen(partial(self._get, on_it))

    def _get(self, people: Mapping[str, Customer], taken: Taken) -> None:
        """Show a customer what is for them, and have their platform told that it got there."""
        customer = people.get(taken.to)
        if customer is None:
            return
        name = customer.identifier
        self._show(name, taken.known_as, parts_of(taken.content), "arrived")
        act = self._phone(name).arrived
        if act is not None:
            self._begin(name, act(self._moment(name), taken.known_as))

    def _write(self, customer: str, moment: Moment, kind: Kind, words: str, item: Item) -> Bubble:
        self._check_room()
        bubble = self._show(customer, moment.key, (Part(kind, words),), "sending")
        self._begin(customer, item, bubble)
        return bubble

    def _show(self, customer: str, key: str, parts: tuple[Part, ...], state: State) -> Bubble:
        number, is_theirs = next(self._numbers), state == "sending"
        bubble = Bubble(number, customer, key, now_millis(), is_theirs, parts, state)
        self.stage.put(bubble)
        return bubble

    def _check_room(self) -> None:
        if len(self._underway) >= _UNDERWAY_MAX:
            raise PlayError(429, "too much is on its way that the system has not acknowledged")

    def _begin(self, customer: str, item: Item, bubble: Bubble | None = None) -> None:
        """Tell the system of something, after what the customer did before.

        While very much is on its way receipts are not told, as by a phone that is off.
        """
        if len(self._underway) >= _UNDERWAY_MAX:
            return
        task = asyncio.create_task(self._tell(customer, item, bubble))
        self._underway.add(task)
        task.add_done_callback(self._underway.discard)

    async def _tell(self, customer: str, item: Item, bubble: Bubble | None) -> None:
        source = self.customers[customer].source
        body = PHONES[source].body([item])
        async with self._turns[customer]:
            was_taken = await self._postman.deliver(Delivery(source, 0.0, body, (item.thread,)))
        if bubble is not None:
            self.stage.put(replace(bubble, state="sent" if was_taken else "given up"))

    def _moment(self, identifier: str) -> Moment:
        customer = self._customer(identifier)
        key = PHONES[customer.source].key(customer.thread, self._named.run, next(self._keys))
        at, app_id = now_millis(), self._named.app_id
        return Moment(self._random, customer.thread, key, at, app_id, (), customer.name)

    def _customer(self, identifier: str) -> Customer:
        customer = self.customers.get(identifier)
        if customer is None:
            raise PlayError(404, "customer: there is none of this name")
        return customer

    def _phone(self, identifier: str) -> Phone:
        return PHONES[self._customer(identifier).source]

    def _for_customer(self, number: int) -> Bubble:
        """Return a message for a customer."""
        bubble = self.stage.bubble(number)
        if bubble is None or bubble.is_theirs:
            raise PlayError(404, "number: is of no message for a customer, or of one long ago")
        return bubble


def _able(act: _Act | None, what: str) -> _Act:
    if act is None:
        raise PlayError(400, f"this source has no {what}")
    return act


def _introduce(customers: Iterable[Customer], platforms: Platforms) -> None:
    """Have the platforms know what the customers are called, where that is asked for."""
    for each in customers:
        if each.source in (messenger.SOURCE, instagram.SOURCE):
            first, _, last = each.name.partition(" ")
            platforms.graph.people.named[each.thread.contact] = Person(first, last)
