"""Courier and owner killed at every step of a send: nothing is forgotten, nothing sent on a guess.

All families are at the same step at once. What the platforms hold, what is in the log, and which
processes are stopped (SIGSTOP) say how far they are; nothing is timed.
"""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from airy_ray.cluster.delivering import DeliveringProcess
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.owner import Owner
from airy_ray.model.events import DeliveryAttempted, DeliveryPutOff, MessageDelivered
from airy_ray.model.ids import REGISTRY, MessageId
from airy_ray.partition.spec import PartitionSpec
from airy_ray.simulator.intake import Trouble
from tests.log_builders import spec
from tests.unit.cluster.correspondence import Correspondence, Family, corresponding
from tests.unit.cluster.test_owner import running, until
from tests.unit.cluster.test_send_outcomes import OURS, PICTURE, pictures

ONCE = ("google", "rcs")
"""Families whose platform takes a message once, however often it is sent."""
WORDS = ["one", "two"]


def own_until_killed(own: PartitionSpec, run_directory: Path) -> None:
    """Own a partition, in a process of its own."""
    owner = Owner(
        own,
        run_directory,
        channels=lambda _: None,
        aliases=lambda _: None,
        deliver=lambda _: None,
    )
    owner.start()
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()


class Stage:
    """A partition whose owner and courier are processes that can be stopped and killed."""

    def __init__(self, post: Correspondence) -> None:
        self.post = post
        self._numbers = count()
        self._owner = self._start_owner()
        self._courier = self._start_courier()

    @property
    def processes(self) -> dict[str, int]:
        assert self._owner.pid is not None
        return {"owner": self._owner.pid, "courier": self._courier.pid}

    def stop(self, which: str) -> None:
        """Have a process stand still; not while it appends, or nobody could."""
        pid = self.processes[which]
        until(lambda: self._is_stopped(pid))

    def is_stopped_while(self, is_so: Callable[[], bool]) -> bool:
        """Have the courier stand still if something is so then; return whether it is."""
        self.stop("courier")
        if is_so():
            return True
        self.go_on("courier")
        return False

    def go_on(self, which: str) -> None:
        os.kill(self.processes[which], signal.SIGCONT)

    def kill(self, *which: str) -> None:
        """Kill processes at once, whatever they are doing, and start others in their place."""
        for each in which:
            os.kill(self.processes[each], signal.SIGKILL)
        if "owner" in which:
            self._owner.join()
            self._owner = self._start_owner()
        if "courier" in which:
            self._courier.end()
            self._courier = self._start_courier()
            listening = self.post.own.directory.parent / f"w-{self._courier.pid}"
            until(listening.exists)  # from now on it reads what there is

    def close(self) -> None:
        self._courier.end()
        self._owner.kill()
        self._owner.join()

    def _is_stopped(self, pid: int) -> bool:
        os.kill(pid, signal.SIGSTOP)
        until(lambda: "T" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2])
        writer = self.post.tail.beacon.writer
        if writer is not None and writer[0] == pid:
            os.kill(pid, signal.SIGCONT)
            return False
        return True

    def _start_owner(self) -> BaseProcess:
        own = self.post.own
        context = multiprocessing.get_context("spawn")
        owner = context.Process(target=own_until_killed, args=(own, own.directory.parent))
        owner.start()
        return owner

    def _start_courier(self) -> DeliveringProcess:
        post = self.post
        return DeliveringProcess(
            [post.own, post.registry],
            post.own.directory.parent,
            Duties(post.platforms.sendings, files=post.files),
        )

    def begin(self, *names: str) -> "Sends":
        """Have contacts write who have not written before, of all families or those named."""
        number = next(self._numbers)
        families = [self.post.families[each] for each in names or self.post.families]
        for family in families:
            self.post.begin(family, number)
        return Sends(self.post, families, number)


class Sends:
    """Two messages to a contact of each family, the first of which is at a certain step."""

    def __init__(self, post: Correspondence, families: list[Family], number: int) -> None:
        self._post = post
        self._families = families
        self._number = number
        self._ours: dict[str, list[MessageId]] = {}
        self._held: list[Future[None]] = []

    def hold(self) -> None:
        """Have the platforms keep their answers."""
        for family in self._families:
            self._held.append(family.intake.hold(family.contact(self._number)))

    def trouble(self, *troubles: Trouble) -> None:
        """Have things go wrong with what the platforms are sent next, one after the other."""
        for family in self._families:
            family.intake.trouble(family.contact(self._number), *troubles)

    def hold_next(self) -> None:
        """Let go of the answers that are held, and have the ones after them kept."""
        held, self._held = self._held, []
        self.hold()
        for each in held:
            each.set_result(None)

    def send(self, *words: str) -> None:
        """Write, and wait until that is pending."""
        self._send(
            {each.name: [each.text(word) for word in words or WORDS] for each in self._families}
        )

    def send_pictures(self, url: str) -> None:
        """Send a picture at an address, and a text after it."""
        shown = pictures(url)
        self._send({each.name: [shown[each.name], each.text("two")] for each in self._families})

    def _send(self, contents: dict[str, list[Any]]) -> None:
        for family in self._families:
            sent = [self._post.send(family, self._number, each) for each in contents[family.name]]
            self._ours[family.name] = sent
        until(lambda: all(self._post.state(each) == "pending" for each in self._all))

    def wait_until_asked(self, times: int = 1) -> None:
        contacts = [(each.intake, self._contact(each)) for each in self._families]
        until(lambda: all(intake.asked.count(contact) == times for intake, contact in contacts))

    def let_go(self) -> None:
        while self._held:
            self._held.pop().set_result(None)

    def wait_until_answered(self) -> None:
        until(lambda: all(self._contact(each) in each.intake.answered for each in self._families))

    def wait_until_logged(self, kind: type[Any]) -> None:
        until(lambda: self.firsts <= set(self._post.logged(kind)))

    def settled(self) -> dict[str, list[str]]:
        """Return what the platforms took, by family, and how each first message is shown."""
        until(lambda: all(map(self._post.is_settled, self._all)))
        return {each.name: self._shown(each) for each in self._families}

    def are_put_off(self) -> bool:
        """Whether each first message was tried, and waits to be tried again."""
        tried, put_off = (
            Counter(self._post.logged(kind)) for kind in (DeliveryAttempted, DeliveryPutOff)
        )
        return all(0 < tried[each] == put_off[each] for each in self.firsts)

    @property
    def firsts(self) -> set[MessageId]:
        """The first message to each contact."""
        return {sent[0] for sent in self._ours.values()}

    @property
    def _all(self) -> list[MessageId]:
        return [each for sent in self._ours.values() for each in sent]

    def _contact(self, family: Family) -> str:
        return family.contact(self._number)

    def _shown(self, family: Family) -> list[str]:
        told = [self._post.told(each) for each in self._ours[family.name]]
        shown = [each.get("error", each["state"]).partition(":")[0] for each in told]
        return [*family.taken(self._number), *shown]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("kills")
    own, registry = spec(directory), spec(directory, index=REGISTRY)
    with ExitStack() as stack:
        for each in (own, registry):
            each.directory.mkdir(parents=True)
        owner = stack.enter_context(running(registry, own.directory.parent))
        until(lambda: owner.partition)
        post = stack.enter_context(corresponding(own, registry))
        made = Stage(post)
        stack.callback(made.close)
        yield made


ALL_TAKEN = [*WORDS, "delivered", "delivered"]
FIRST_UNCERTAIN = [*WORDS, "delivery uncertain", "delivered"]
FIRST_NOT_CALLED = [*WORDS[1:], "delivery uncertain", "delivered"]
VICTIMS = [("courier",), ("owner",), ("courier", "owner")]
by_victims = pytest.mark.parametrize("victims", VICTIMS, ids="+".join)


def everywhere(stage: Stage, shown: list[str], *, once: list[str] | None = None) -> Any:
    """Return what is expected of all families, and of those that take a message once."""
    return {
        name: shown if once is None or name not in ONCE else once for name in stage.post.families
    }


@by_victims
def test_killed_before_the_attempt_is_in_the_log(stage: Stage, victims: tuple[str, ...]) -> None:
    sends = stage.begin()
    stage.stop("courier")
    sends.send()
    stage.kill(*victims)
    stage.go_on("courier")

    assert sends.settled() == everywhere(stage, ALL_TAKEN)


@by_victims
def test_killed_after_the_attempt_and_before_the_call(
    stage: Stage, victims: tuple[str, ...]
) -> None:
    sends = stage.begin()
    stage.stop("courier")
    sends.send()
    stage.stop("owner")
    stage.go_on("courier")
    sends.wait_until_logged(DeliveryAttempted)
    stage.kill(*victims)
    stage.go_on("owner")

    shown = FIRST_NOT_CALLED if "courier" in victims else ALL_TAKEN
    assert sends.settled() == everywhere(stage, shown, once=ALL_TAKEN)


@by_victims
def test_killed_while_the_platform_holds_the_answer(stage: Stage, victims: tuple[str, ...]) -> None:
    sends = stage.begin()
    sends.hold()
    sends.send()
    sends.wait_until_asked()
    stage.kill(*victims)
    sends.let_go()

    shown = FIRST_UNCERTAIN if "courier" in victims else ALL_TAKEN
    assert sends.settled() == everywhere(stage, shown, once=ALL_TAKEN)


@by_victims
def test_killed_while_messages_wait_to_be_tried_again(
    stage: Stage, victims: tuple[str, ...]
) -> None:
    names = [each for each in stage.post.families if each != "custom"]  # it is called once
    sends = stage.begin(*names)
    sends.trouble(*[Trouble.DOWN] * 3)
    sends.send()
    until(lambda: stage.is_stopped_while(sends.are_put_off))
    stage.kill(*victims)
    stage.go_on("courier")

    assert sends.settled() == dict.fromkeys(names, ALL_TAKEN)


@by_victims
def test_killed_between_the_parts_of_a_long_text(stage: Stage, victims: tuple[str, ...]) -> None:
    parts = ["a" * 4_000, "b" * 4_000, "c" * 4_000]
    sends = stage.begin("whatsapp", "telegram")
    sends.hold()
    sends.send(" ".join(parts), "two")
    sends.wait_until_asked()
    sends.hold_next()
    sends.wait_until_asked(2)
    stage.kill(*victims)
    sends.let_go()

    uncertain = [*parts[:2], "two", "delivery uncertain", "delivered"]
    whole = [*parts, "two", "delivered", "delivered"]
    shown = uncertain if "courier" in victims else whole
    assert sends.settled() == {"whatsapp": shown, "telegram": shown}


@by_victims
def test_killed_between_a_file_and_the_message_that_names_it(
    stage: Stage, victims: tuple[str, ...]
) -> None:
    names = ("facebook", "instagram", "whatsapp")
    files = stage.post.platforms.graph.files
    stage.post.keep(PICTURE, "a.jpg")
    sends = stage.begin(*names)
    before, held = files.asked, files.hold()
    sends.send_pictures(f"http://127.0.0.1:8000/media/{OURS}")
    until(lambda: files.asked == before + len(names))
    attempted = stage.post.logged(DeliveryAttempted)
    stage.kill(*victims)
    held.set_result(None)

    assert sends.settled() == {name: [None, "two", "delivered", "delivered"] for name in names}
    assert not sends.firsts & set(attempted)
    assert files.asked == before + len(names) * (2 if "courier" in victims else 1)


def test_the_courier_is_killed_with_answers_that_it_has_not_read(stage: Stage) -> None:
    sends = stage.begin()
    sends.hold()
    sends.send()
    sends.wait_until_asked()
    stage.stop("courier")
    sends.let_go()
    sends.wait_until_answered()
    stage.kill("courier")

    assert sends.settled() == everywhere(stage, FIRST_UNCERTAIN, once=ALL_TAKEN)


@by_victims
def test_killed_once_the_outcome_is_in_the_log_and_before_it_is_folded(
    stage: Stage, victims: tuple[str, ...]
) -> None:
    sends = stage.begin()
    sends.hold()
    sends.send()
    sends.wait_until_asked()
    stage.stop("owner")
    sends.let_go()
    sends.wait_until_logged(MessageDelivered)
    stage.kill(*victims)
    stage.go_on("owner")

    assert sends.settled() == everywhere(stage, ALL_TAKEN)
