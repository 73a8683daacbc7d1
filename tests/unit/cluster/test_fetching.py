"""Files of contacts' messages, fetched by the courier's process; without Ray."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airy_ray.clock import now_micros
from airy_ray.cluster.delivering import DeliveringProcess
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.media.store import NAME
from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.model import message
from airy_ray.model.events import ConversationsErased
from airy_ray.model.message import Message
from airy_ray.partition.fold import encode_event
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.routing import record_of
from airy_ray.rawlog.tail import LogTail
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.files import Access
from airy_ray.sources.source import Source, Webhook
from airy_ray.sources.telegram import Telegram
from airy_ray.sources.whatsapp import Whatsapp
from tests import builders, manifests
from tests.files_server import PICTURE, FilesServer, files_server
from tests.log_builders import append, messenger_item
from tests.unit.cluster.test_delivering import Post, working
from tests.unit.cluster.test_owner import until

BASE_URL = "https://chat.example.org"
NUMBER, TOKEN = "106540352242922", "a-token-of-the-channel"
CHANNELS = [
    builders.channel(),
    builders.channel(NUMBER, source="whatsapp", token=TOKEN),
    builders.channel(manifests.TELEGRAM_BOT, source="telegram", token=TOKEN),
]
AT_ONCE = 4


class Shop:
    """A partition with its owner, and the courier's process beside it."""

    def __init__(self, directory: Path, post: Post, files: FilesServer) -> None:
        self.post = post
        self._directory = directory
        self._files = files
        self._tail = LogTail(post.own.directory, is_read_only=True)
        self._reader = PartitionReader(self._tail)

    @property
    def media(self) -> Path:
        return self._directory / "media"

    @property
    def marks(self) -> Path:
        return self._directory / "unlinked"

    def stored(self) -> list[str]:
        """Return the names of files that are stored as a whole."""
        names = [each.name for each in self.media.iterdir()] if self.media.exists() else []
        return [each for each in names if NAME.fullmatch(each)]

    def marked(self) -> list[str]:
        """Return the names of files that nothing may link to yet."""
        return [each.name for each in self.marks.iterdir()]

    def start(self, **changed: Any) -> None:
        access = {
            "whatsapp": Access(f"{self._files.url}/v25.0", asks="whatsapp"),
            "telegram": Access(self._files.url, asks="telegram"),
        }
        fetching: dict[str, Any] = {
            "store": StoreSpec(str(self.media), None, {}, None, str(self.marks)),
            "directory": str(self._directory),
            "base_url": BASE_URL,
            "bytes_max": 1 << 20,
            "access": access,
            "allow_private_networks": True,
        }
        specs = [self.post.own, self.post.registry]
        run_directory = self.post.own.directory.parent
        self.post.courier = DeliveringProcess(
            specs,
            run_directory,
            Duties(self.post.sendings, fetching=FetchingSpec(**(fetching | changed))),
        )

    def kill(self) -> None:
        assert self.post.courier is not None
        self.post.courier._process.kill()
        self.post.courier.end()

    def receive(self, name: str, *urls: str, contact: str = "ada") -> None:
        """Have a contact send pictures."""
        body = json.loads(messenger_item(name, contact, at=builders.NOW))
        told = body["entry"][0]["messaging"][0]["message"]
        told["attachments"] = [{"type": "image", "payload": {"url": url}} for url in urls]
        self.take(Facebook("secret", app_id="1"), json.dumps(body).encode())

    def take(self, source: Source, body: bytes, url: str = "") -> None:
        """Take a webhook in."""
        channels = {each.id: each for each in CHANNELS}
        webhook = Webhook(body, {}, url)
        record = record_of(source, webhook, channels.get, now_micros())
        append(self.post.own.directory, [record])

    def take_update(self, body: bytes) -> None:
        """Take in what Telegram tells a bot."""
        url = f"{BASE_URL}/telegram/{manifests.TELEGRAM_BOT}"
        self.take(Telegram(lambda _: None), body, url)

    def erase(self, contact: str) -> None:
        """Forget a conversation."""
        conversation = builders.place(contact).conversation_id
        body = encode_event(ConversationsErased((conversation,), (), builders.NOW))
        append(self.post.own.directory, [builders.record(body, kind="forward", source="")])

    def shown(self, name: str) -> list[str]:
        """Return the addresses in a message as readers see it."""
        found = self.found(name)
        if found is None:
            return []
        content = json.loads(message.rendered(found))["content"]
        return [each["payload"]["url"] for each in content["message"]["attachments"]]

    def told(self, name: str) -> dict[str, Any]:
        """Return what a message's metadata says of its files."""
        found = self.found(name)
        metadata = {} if found is None else json.loads(found.metadata)
        return {key: value for key, value in metadata.items() if key.startswith("data_")}

    def found(self, name: str) -> Message | None:
        with self._reader.read() as view:
            heads = view.listed_conversations(view.conversation_keys(10))
            messages = [each for head in heads for each in view.messages(head.id, None, 100)]
        return next((each for each in messages if f'"{name}"'.encode() in each.content), None)

    def left_files(self) -> list[str]:
        with self._reader.read() as view:
            return list(view.left_files(10))

    def close(self) -> None:
        self._reader.close()
        self._tail.close()


@pytest.fixture
def files() -> Iterator[FilesServer]:
    with files_server() as told:
        yield told


@pytest.fixture
def shop(tmp_path: Path, files: FilesServer) -> Iterator[Shop]:
    with working(tmp_path) as post, closing(Shop(tmp_path, post, files)) as shop:
        for channel in CHANNELS:
            post.connect(channel)
        yield shop


def are_kept(shop: Shop, name: str, count: int) -> bool:
    return sum(each.startswith(BASE_URL) for each in shop.shown(name)) == count


def test_pictures_are_kept_and_shown_from_there(shop: Shop, files: FilesServer) -> None:
    shop.receive("m-1", f"{files.url}/a.png?oh=1&x=2")
    shop.start()
    until(lambda: are_kept(shop, "m-1", 1))
    [shown] = shop.shown("m-1")

    assert shown.startswith(f"{BASE_URL}/media/")
    assert shown.endswith(".png")
    assert (shop.media / shown.rpartition("/")[2]).read_bytes() == PICTURE
    assert shop.told("m-1") == {f"data_{files.url}/a.png?oh=1&x=2": shown}


def test_a_file_that_cannot_be_had_is_marked_and_holds_no_other_up(
    shop: Shop, files: FilesServer
) -> None:
    shop.start()
    never = f"http://169.254.169.254:{files.port}/a.png"
    shop.receive("m-1", never, f"{files.url}/gone", f"{files.url}/slow", f"{files.url}/b.png")
    shop.receive("m-2", f"{files.url}/c.png", contact="bob")
    until(lambda: are_kept(shop, "m-2", 1))
    files.let_go.set()
    until(lambda: are_kept(shop, "m-1", 2))

    assert shop.shown("m-1")[:2] == [never, f"{files.url}/gone"]
    assert len({each.stem for each in shop.media.iterdir()}) == 1  # one content
    told = shop.told("m-1")
    assert told[f"data_{never}"] == {"error": "the host is in a private network"}
    assert told[f"data_{files.url}/gone"] == {"error": "answered with 404"}


def test_what_is_kept_or_given_up_is_not_fetched_again(shop: Shop, files: FilesServer) -> None:
    shop.start()
    shop.receive("m-1", f"{files.url}/a.png", f"{files.url}/gone")
    until(lambda: len(shop.told("m-1")) == 2)
    shop.kill()
    shop.receive("m-2", f"{files.url}/b.png")
    shop.start()
    until(lambda: are_kept(shop, "m-2", 1))

    assert [path for path, _ in files.asked] == ["/a.png", "/gone", "/b.png"]


def test_who_is_killed_while_fetching_is_followed_by_who_fetches(
    shop: Shop, files: FilesServer
) -> None:
    shop.start()
    shop.receive("m-1", f"{files.url}/slow")
    until(lambda: files.asked)
    shop.kill()
    files.let_go.set()
    shop.start()

    until(lambda: are_kept(shop, "m-1", 1))


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_copy_is_marked_until_a_record_links_to_it(
    is_gone: bool, shop: Shop, files: FilesServer
) -> None:
    shop.start()
    shop.receive("m-1", f"{files.url}/slow")
    until(lambda: files.asked)
    with closing(LogTail(shop.post.own.directory)) as tail, tail._write():  # nobody can append
        files.let_go.set()
        until(shop.stored)
        shop.kill()
    left = shop.stored()
    assert shop.marked() == left
    if is_gone:
        files.gone.add("/slow")
    shop.start()
    until(lambda: shop.told("m-1"))

    if is_gone:
        assert shop.marked() == left
    else:
        until(lambda: not shop.marked())
    assert shop.stored() == left


def test_what_may_pass_is_tried_again(shop: Shop, files: FilesServer) -> None:
    files.failures["/a.png"] = 1
    shop.receive("m-1", f"{files.url}/a.png")
    shop.start()

    until(lambda: are_kept(shop, "m-1", 1))
    assert [path for path, _ in files.asked] == ["/a.png", "/a.png"]


def test_only_files_of_some_types_are_kept(shop: Shop, files: FilesServer) -> None:
    shop.receive("m-1", f"{files.url}/a.png")
    shop.start(types=("audio/*",))

    until(lambda: shop.told("m-1"))
    error = {"error": "files of the type image/png are not kept"}
    assert shop.told("m-1") == {f"data_{files.url}/a.png": error}
    assert not list(shop.media.iterdir())


def test_messages_are_sent_while_files_are_waited_for(shop: Shop, files: FilesServer) -> None:
    shop.start()
    for number in range(AT_ONCE + 2):
        shop.receive(f"m-{number}", f"{files.url}/slow")
    until(lambda: len(files.asked) == AT_ONCE)
    sent = shop.post.send("Hello")

    assert shop.post.settled(sent)["state"] == "delivered"
    assert len(files.asked) == AT_ONCE


def test_whatsapp_is_asked_where_a_file_is_and_gives_it_to_who_has_the_token(
    shop: Shop, files: FilesServer
) -> None:
    files.told["/v25.0/2754859441498128"] = {"url": f"{files.url}/a", "mime_type": "image/png"}
    shop.take(Whatsapp("secret"), manifests.body("whatsapp", "in_document.json"))
    shop.start()
    until(lambda: shop.told("2754859441498128"))
    [copy] = shop.told("2754859441498128").values()

    assert files.asked == [
        ("/v25.0/2754859441498128", f"Bearer {TOKEN}"),
        ("/a", f"Bearer {TOKEN}"),
    ]
    assert copy.startswith(f"{BASE_URL}/media/")
    assert copy.endswith(".pdf")


@pytest.mark.parametrize("path", ["documents/a.pdf", "documents/gone"])
def test_the_token_in_telegrams_addresses_is_told_to_nobody(
    path: str, shop: Shop, files: FilesServer, capfd: pytest.CaptureFixture[str]
) -> None:
    files.told[f"/bot{TOKEN}/getFile"] = {"ok": True, "result": {"file_path": path}}
    files.gone.add(f"/file/bot{TOKEN}/documents/gone")
    shop.take_update(manifests.body("telegram", "in_document.json"))
    shop.start()
    until(lambda: shop.told("BQ1"))
    shop.kill()
    found = shop.found("BQ1")

    assert files.asked[-1] == (f"/file/bot{TOKEN}/{path}", None)
    assert found is not None
    assert TOKEN not in str(found) + "".join(capfd.readouterr())


def test_a_file_that_an_edit_brings_is_kept(shop: Shop, files: FilesServer) -> None:
    files.told[f"/bot{TOKEN}/getFile"] = {"ok": True, "result": {"file_path": "a.pdf"}}
    update = json.loads(manifests.body("telegram", "in_edited.json"))
    update["edited_message"]["document"] = {"file_id": "BQ2", "file_name": "a.pdf"}
    shop.take_update(manifests.body("telegram", "in_text.json"))
    shop.take_update(json.dumps(update).encode())
    shop.start()

    until(lambda: shop.told("BQ2"))
    assert list(shop.told("BQ2")) == ["data_BQ2"]


def test_a_copy_of_what_was_erased_meanwhile_goes_too(shop: Shop, files: FilesServer) -> None:
    shop.start()
    shop.receive("m-1", f"{files.url}/slow", contact="eve")
    until(lambda: files.asked)
    shop.erase("eve")
    until(lambda: shop.found("m-1") is None)
    files.let_go.set()
    until(shop.left_files)

    assert shop.left_files() == [each.name for each in shop.media.iterdir()]
