"""The courier fetches profiles from played platforms, and no message of ours waits for that."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from airy_ray.clock import now_millis
from airy_ray.cluster import profile_fetching
from airy_ray.cluster.doorbell import Damaged, Ringer, asking_bell
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.cluster.registry import Registry
from airy_ray.model.commands import DescribeConversation
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.partition import generations
from airy_ray.partition.reader import PartitionReader
from airy_ray.projections.view import WantedProfile
from airy_ray.rawlog.tail import LogTail
from airy_ray.serve.ports import free_port
from airy_ray.simulator import telegram_api, viber_api
from airy_ray.simulator.graph_api import GraphApi, GraphServer
from airy_ray.simulator.telegram_api import BOT_TOKEN, TelegramApi
from airy_ray.sources.facebook_sending import FacebookSending
from airy_ray.sources.files import Access
from airy_ray.sources.telegram_sending import TelegramSending
from airy_ray.sources.viber_sending import ViberSending
from tests import builders
from tests.e2e.platforms import Answer
from tests.files_server import PICTURE
from tests.log_builders import append, webhook
from tests.unit.cluster.couriers import deliver_until
from tests.unit.cluster.test_courier import delivering, settled
from tests.unit.cluster.test_delivering import TOKEN, Post, begin, working
from tests.unit.cluster.test_owner import LONG_S, until

ADA = builders.conversation_id("ada")
BOB = builders.conversation_id("bob")
OTHER_PAGE = "page-2"
NODE = "/v25.0/ada"
PARTICIPANTS = "/v25.0/me/conversations"
LOVELACE = {"first_name": "Ada", "last_name": "Lovelace", "profile_pic": "https://a"}
TOLD = {"display_name": "Ada Lovelace", "avatar_url": "https://a", "fetch_state": "ok"}


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with working(tmp_path) as found:
        yield found


def sending(url: str) -> FacebookSending:
    return FacebookSending(url, "v25.0", False, 300.0)


def contact(post: Post, conversation: ConversationId = ADA) -> Any:
    """Return what a conversation says of its contact."""
    found = post.conversation(conversation)
    return {} if found is None else json.loads(found.metadata).get("contact", {})


def wanted(post: Post, conversation: ConversationId = ADA) -> WantedProfile | None:
    return post.wanted_profile(conversation)


def asked(post: Post, path: str = NODE) -> int:
    """Return how often something was asked for."""
    return sum(called == path for _, called, _ in post.api.calls)


def known(post: Post, conversation: ConversationId = ADA) -> Callable[[], bool]:
    return lambda: "fetch_state" in contact(post, conversation)


def refetch(post: Post, conversation: ConversationId = ADA) -> None:
    at = now_millis()
    command = DescribeConversation(
        id=format_id(builders.command_id(f"refetch {at}")),
        principal="agent",
        conversation_id=format_id(conversation),
        removed=("contact.fetch_state",),
    )
    append(post.own.directory, [builders.command_record(command, at=at)])


def rebuild(post: Post) -> None:
    """Have the whole log folded again, as after damage."""
    before = generations.live(post.tail)
    with closing(Ringer(post.own.directory.parent)) as ringer:
        ringer.ring(asking_bell(post.own.name), msgspec.msgpack.encode(Damaged()))
    until(lambda: (now := generations.live(post.tail)) and now != before and now.target is None)


def test_a_contact_gets_the_name_that_the_source_tells(post: Post) -> None:
    post.api.people["ada"] = LOVELACE
    delivering(post, sending(post.api.url), lambda: known(post)() and known(post, BOB)())

    assert contact(post) == TOLD
    assert contact(post, BOB) == {"fetch_state": "failed"}
    assert asked(post) == asked(post, "/v25.0/bob") == asked(post, PARTICIPANTS) == 1


def test_there_may_be_more_than_there_is_room_for(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_fetching, "_WAITING_MAX", 2)
    names = [f"contact-{number}" for number in range(7)]
    append(post.own.directory, [webhook(f"m-{each}", contact=each) for each in names])
    conversations = [builders.conversation_id(each) for each in names]
    delivering(
        post, sending(post.api.url), lambda: all(known(post, each)() for each in conversations)
    )

    assert {asked(post, f"/v25.0/{each}") for each in names} == {1}


def test_what_is_known_is_not_asked_for_again(post: Post) -> None:
    """Not by another courier, and not when the whole log is folded again."""
    post.api.people["ada"] = LOVELACE
    delivering(post, sending(post.api.url), lambda: known(post)() and known(post, BOB)())
    rebuild(post)
    sent = post.send("Hello")
    delivering(post, sending(post.api.url), settled(post, sent))

    assert contact(post) == TOLD
    assert asked(post) == asked(post, "/v25.0/bob") == 1


def test_who_cannot_be_read_is_named_by_the_conversation(post: Post) -> None:
    both = [{"id": "page", "name": "A page"}, {"id": "ada", "name": "Ada King of Lovelace"}]
    told = {"data": [{"id": "t_1", "participants": {"data": both}}]}
    post.api.people["bob"] = LOVELACE
    post.api.answers[PARTICIPANTS].append(Answer(200, json.dumps(told).encode()))
    delivering(post, sending(post.api.url), known(post))

    assert contact(post) == {"display_name": "Ada King of Lovelace", "fetch_state": "ok"}
    assert (asked(post), asked(post, PARTICIPANTS)) == (1, 1)


def test_what_may_pass_is_tried_again_when_it_is_due(post: Post) -> None:
    post.api.people |= {"ada": LOVELACE, "bob": LOVELACE}
    post.api.answers[NODE].append(Answer(503, b"busy"))
    delivering(post, sending(post.api.url), lambda: tries(post) == 1)
    delivering(post, sending(post.api.url), known(post, BOB))  # another courier waits as well

    put_off = wanted(post)
    assert put_off is not None
    assert 0 < put_off.due_at - now_millis() <= 90_000
    assert (asked(post), asked(post, PARTICIPANTS)) == (1, 0)
    assert contact(post) == {}


def tries(post: Post) -> int:
    found = wanted(post)
    return 0 if found is None else found.tries


def test_who_is_not_reached_is_tried_again(post: Post) -> None:
    nobody = sending(f"http://127.0.0.1:{free_port()}")
    delivering(post, nobody, lambda: tries(post) == 1)
    assert contact(post) == {}


def test_what_waits_goes_on_when_somebody_asks(post: Post) -> None:
    post.api.people["ada"] = LOVELACE
    post.api.answers[NODE].append(Answer(503, b"busy"))
    asking = [refetch]

    def is_done() -> bool:
        if tries(post) == 1 and asking:  # the courier that is to hear of it runs
            asking.pop()(post)
        return known(post)()

    delivering(post, sending(post.api.url), is_done)
    assert contact(post) == TOLD
    assert asked(post) == 2


def test_a_new_name_is_told_when_somebody_asks(post: Post) -> None:
    post.api.people["ada"] = LOVELACE
    delivering(post, sending(post.api.url), known(post))
    post.api.people["ada"] = LOVELACE | {"last_name": "King"}
    refetch(post)
    delivering(post, sending(post.api.url), lambda: asked(post) == 2 and known(post)())

    assert contact(post) == TOLD | {"display_name": "Ada King"}


def test_after_a_pause_that_a_platform_asks_for_nobody_of_the_channel_is_asked(post: Post) -> None:
    post.api.answers[NODE].append(Answer(429, b"slow down", {"retry-after": "600"}))
    post.api.answers["/v25.0/bob"].append(Answer(429, b"slow down", {"retry-after": "600"}))
    delivering(post, sending(post.api.url), lambda: tries(post) == 1)
    for number in range(3):
        append(post.own.directory, [webhook(f"n{number}", contact=f"carol-{number}")])
    sent = post.send("Hello")
    delivering(post, sending(post.api.url), settled(post, sent))

    put_off = wanted(post)
    assert put_off is not None
    assert put_off.due_at - now_millis() > 500_000


def test_no_message_waits_for_a_profile(post: Post) -> None:
    """Nor for a whole lot of them, none of which is answered."""
    let_go = Event()
    people = [f"carol-{number}" for number in range(20)]
    for person in ("ada", "bob", *people):
        held = Answer(503, b"busy", held_until=let_go)
        post.api.answers[f"/v25.0/{person}"].append(held)
    append(post.own.directory, [webhook(f"n-{each}", contact=each) for each in people])
    sent = post.send("Hello")

    def nodes() -> list[str]:
        return [called for _, called, _ in post.api.calls if "messages" not in called]

    def is_done() -> bool:
        return len(nodes()) >= 4 and settled(post, sent)()

    delivering(post, sending(post.api.url), is_done)
    let_go.set()
    assert post.texts() == ["Hello"]
    assert len(nodes()) == len(set(nodes())) == 4  # so many at once, each of them once


@pytest.mark.parametrize("channel", [{"connected": False}, {"token": None}])
def test_who_cannot_be_asked_for_costs_nothing_and_is_asked_for_once_that_is_possible(
    post: Post, monkeypatch: pytest.MonkeyPatch, channel: dict[str, Any]
) -> None:
    monkeypatch.setattr(profile_fetching, "_WAITING_MAX", 2)
    post.api.people["ada"] = LOVELACE
    post.connect(builders.channel(**channel))
    post.connect(builders.channel(OTHER_PAGE, token=TOKEN))
    waiting = [f"contact-{number}" for number in range(7)]
    append(post.own.directory, [webhook(f"m-{each}", contact=each) for each in waiting])
    other = begun_elsewhere(post)
    before = [wanted(post, builders.conversation_id(each)) for each in waiting]
    delivering(post, sending(post.api.url), known(post, other))

    assert {called for _, called, _ in post.api.calls} == {"/v25.0/carol", PARTICIPANTS}
    assert [wanted(post, builders.conversation_id(each)) for each in waiting] == before
    assert None not in before
    assert contact(post) == {}

    post.connect(builders.channel(token=TOKEN))
    conversations = [builders.conversation_id(each) for each in ("ada", "bob", *waiting)]
    delivering(
        post, sending(post.api.url), lambda: all(known(post, each)() for each in conversations)
    )
    assert contact(post) == TOLD


def begun_elsewhere(post: Post) -> ConversationId:
    """Have somebody write to another page."""
    place = builders.place("carol", page=OTHER_PAGE)
    begin(post, place)
    until(lambda: post.conversation(place.conversation_id) is not None)
    return place.conversation_id


def test_a_token_that_has_ended_is_told_and_used_for_nobody_else(post: Post) -> None:
    post.api.people["ada"] = LOVELACE
    refused = Answer(400, b'{"error":{"message":"Session has expired","code":190}}')
    for path in (NODE, "/v25.0/bob"):
        post.api.answers[path] += [refused] * 2

    def is_told() -> bool:
        return b"Session has expired" in channel_metadata(post)

    delivering(post, sending(post.api.url), is_told)
    assert asked(post, PARTICIPANTS) == 0
    for answers in post.api.answers.values():
        answers.clear()
    append(post.own.directory, [webhook("m-carol", contact="carol")])
    sent = post.send("Hello")
    delivering(post, sending(post.api.url), settled(post, sent))
    assert (contact(post), contact(post, BOB)) == ({}, {})

    post.connect(builders.channel(token="EAAanother"))
    delivering(post, sending(post.api.url), lambda: known(post)() and known(post, BOB)())
    assert contact(post) == TOLD
    assert b"Session has expired" not in channel_metadata(post)


def channel_metadata(post: Post) -> bytes:
    with closing(LogTail(post.registry.directory, is_read_only=True)) as tail:
        registry = Registry(PartitionReader(tail))
        found = registry.channel(builders.place().channel_id)
    return b"" if found is None else found.metadata


def test_viber_is_asked_when_somebody_asks(post: Post) -> None:
    api = viber_api.ViberApi("a token")
    api.people["u=="] = {"name": "Ada", "avatar": "https://a"}
    place = builders.place("u==", page=viber_api.ACCOUNT, source="viber")
    post.connect(builders.channel(viber_api.ACCOUNT, source="viber", token=None))
    begin(post, place)
    until(lambda: post.conversation(place.conversation_id) is not None)
    refetch(post, place.conversation_id)
    meta = GraphApi([], app_id="1", app_secret="s3cret")
    with GraphServer(meta, 0, viber_api.routes(api)) as server:
        viber = ViberSending(f"http://127.0.0.1:{server.port}", "a token")
        delivering(post, viber, known(post, place.conversation_id), source="viber")

    told = {"display_name": "Ada", "avatar_url": "https://a", "fetch_state": "ok"}
    assert contact(post, place.conversation_id) == told
    assert api.asked == ["u=="]


class Chat:
    """Somebody who wrote to a bot of Telegram's, and the platform that tells of them."""

    def __init__(self, post: Post, server: GraphServer, api: TelegramApi, directory: Path) -> None:
        self.api = api
        self.media = directory / "media"
        self.marks = directory / "unlinked"
        self._post = post
        self._url = f"http://127.0.0.1:{server.port}"
        self._fetching = FetchingSpec(
            StoreSpec(str(self.media), None, {}, None, str(self.marks)),
            str(directory),
            "https://chat.example.org",
            1 << 20,
            access={"telegram": Access(self._url, asks="telegram")},
            allow_private_networks=True,
        )
        bot = BOT_TOKEN.partition(":")[0]
        self.place = builders.place("7", page=bot, source="telegram")
        api.chats["7"] = {"type": "private", "first_name": "Ada"}
        post.connect(builders.channel(bot, source="telegram", token=BOT_TOKEN))
        begin(post, self.place)

    def fetch(self, is_done: Callable[[], bool] | None = None) -> None:
        """Run a courier until the profile is known, or something else is done."""
        deliver_until(
            is_done or known(self._post, self.place.conversation_id),
            [self._post.own, self._post.registry],
            {"telegram": TelegramSending(self._url)},
            within_s=LONG_S,
            fetching=self._fetching,
        )

    def contact(self) -> Any:
        return contact(self._post, self.place.conversation_id)


@pytest.fixture
def chat(post: Post, tmp_path: Path) -> Iterator[Chat]:
    api = TelegramApi(BOT_TOKEN)
    meta = GraphApi([], app_id="1", app_secret="s3cret")
    with GraphServer(meta, 0, telegram_api.routes(api)) as server:
        yield Chat(post, server, api, tmp_path)


def test_a_picture_on_telegram_is_kept_and_its_address_tells_no_token(
    chat: Chat, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    chat.api.pictures["7"] = PICTURE
    with caplog.at_level("INFO", logger="airy_ray"):
        chat.fetch()

    told = chat.contact()
    [file] = chat.media.iterdir()
    assert (told["display_name"], told["fetch_state"]) == ("Ada", "ok")
    assert told["avatar_url"] == f"https://chat.example.org/media/{file.name}"
    assert file.read_bytes() == PICTURE
    assert BOT_TOKEN not in caplog.text
    files = [each for each in post.own.directory.rglob("*") if each.is_file()]
    assert not [each for each in files if BOT_TOKEN.encode() in each.read_bytes()]


def test_who_has_no_picture_on_telegram_is_known_without(chat: Chat) -> None:
    chat.fetch()

    assert chat.contact() == {"display_name": "Ada", "fetch_state": "ok"}
    assert not chat.media.exists() or not list(chat.media.iterdir())


def test_a_picture_that_cannot_be_kept_is_done_without(chat: Chat) -> None:
    chat.api.pictures["7"] = b""  # as good as none
    chat.fetch()

    assert chat.contact() == {"display_name": "Ada", "fetch_state": "ok"}


def test_who_has_no_place_for_pictures_asks_again_when_it_is_due(chat: Chat, post: Post) -> None:
    chat.api.pictures["7"] = PICTURE
    chat.media.write_bytes(b"a file where the directory should be")
    conversation = chat.place.conversation_id

    def is_put_off() -> bool:
        found = wanted(post, conversation)
        return found is not None and found.tries == 1

    chat.fetch(is_put_off)
    assert chat.contact() == {}
