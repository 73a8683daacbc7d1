"""Files kept in a directory, and in an object store."""

import asyncio
import io
from pathlib import Path

import pytest
from obstore.store import MemoryStore
from pydantic import SecretStr

from airy_ray.clock import Millis, now_millis
from airy_ray.cluster.media.store import NAME, MediaStore, open_store
from airy_ray.cluster.media.unlinked import Unlinked
from airy_ray.cluster.media.upload import Upload
from airy_ray.config import Media, Settings
from airy_ray.errors import StorageError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def upload(content: bytes, name: str = "a.png") -> Upload:
    taken = Upload(name, io.BytesIO())
    taken.write(content)
    return taken


@pytest.fixture(params=["directory", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    """Both kinds of store."""
    if request.param == "directory":
        return open_store(Settings(data=tmp_path))
    return open_store(Settings(data=tmp_path, media=Media(url="memory:///")))


async def content_of(store: MediaStore, name: str, part: range) -> bytes:
    return b"".join([piece async for piece in store.read(name, part)])


def test_a_file_comes_back_as_it_went_in(store: MediaStore) -> None:
    content = bytes(range(256)) * 4_096

    async def main() -> tuple[int | None, bytes, bytes]:
        name = await store.keep(upload(content))
        whole = await content_of(store, name, range(len(content)))
        return await store.size(name), whole, await content_of(store, name, range(5, 300_000))

    size, whole, some = asyncio.run(main())
    assert size == len(content)
    assert whole == content
    assert some == content[5:300_000]


def test_the_same_file_is_kept_under_the_same_name(store: MediaStore) -> None:
    async def main() -> list[str]:
        kept = [
            ("one", "a.png"),
            ("one", "b.png"),
            ("one", "a.jpg"),
            ("one", "a"),
            ("two", "a.png"),
        ]
        return [await store.keep(upload(each.encode(), name)) for each, name in kept]

    first, again, other_end, no_end, other = asyncio.run(main())
    assert first == again
    assert first.removesuffix(".png") == other_end.removesuffix(".jpg") == no_end
    assert other != first
    assert all(NAME.fullmatch(name) for name in (first, other_end, no_end, other))


@pytest.mark.parametrize("content", [b"", PNG])
def test_the_kind_of_a_stored_file_is_told(content: bytes, store: MediaStore) -> None:
    async def main() -> list[str]:
        name = await store.keep(upload(content))
        return [await store.kind(name, len(content)) for _ in range(2)]

    assert asyncio.run(main()) == ["image/png"] * 2


def test_a_file_that_nobody_stored_is_not_there(store: MediaStore) -> None:
    assert asyncio.run(store.size("00000000-0000-0000-0000-000000000000")) is None


def test_a_deleted_file_is_not_there(store: MediaStore) -> None:
    async def main() -> list[int | None]:
        name = await store.keep(upload(b"one"))
        other = await store.keep(upload(b"two"))
        for _ in range(2):
            await store.delete(name)
        return [await store.size(name), await store.size(other)]

    assert asyncio.run(main()) == [None, 3]


def test_a_file_is_marked_until_it_is_settled_unless_it_was_known(store: MediaStore) -> None:
    def marked() -> list[str]:
        return store.unlinked.made_before(Millis(now_millis() + 1_000))

    async def main() -> tuple[str, list[list[str]]]:
        name = await store.keep(upload(b"hello"))
        seen = [marked()]
        await store.keep(upload(b"hello"))
        seen.append(marked())
        await store.settle(name, name)
        seen.append(marked())
        await store.keep(upload(b"hello"))
        return name, [*seen, marked()]

    name, seen = asyncio.run(main())
    assert seen == [[name], [name], [], []]


def test_a_store_that_answers_is_reachable(store: MediaStore) -> None:
    assert asyncio.run(store.is_reachable())


def test_an_object_store_is_told_how_to_serve_a_file(tmp_path: Path) -> None:
    objects = MemoryStore()
    kept = MediaStore(objects, Unlinked(tmp_path))

    async def main() -> list[dict[str, str]]:
        names = [await kept.keep(upload(PNG)), await kept.keep(upload(b"<html>", "a.html"))]
        return [dict((await objects.get_async(name)).attributes) for name in names]

    picture, page = asyncio.run(main())
    assert (picture["Content-Type"], picture["Content-Disposition"]) == ("image/png", "inline")
    assert page["Content-Type"] == "application/octet-stream"
    assert page["Content-Disposition"] == "attachment"


def test_a_store_that_cannot_be_reached_says_so_without_its_address() -> None:
    options = {
        "aws_endpoint": "http://127.0.0.1:9",
        "aws_access_key_id": "AKIAhidden",
        "aws_secret_access_key": "hidden",
        "aws_region": "eu-central-1",
    }
    hidden = {key: SecretStr(value) for key, value in options.items()}
    store = open_store(Settings(media=Media(url="s3://bucket/path", options=hidden)))

    assert not asyncio.run(store.is_reachable())


@pytest.mark.parametrize(
    ("media", "url"),
    [
        (Media(), "https://chat.example.org/media/x.png"),
        (Media(url="memory:///"), "https://chat.example.org/media/x.png"),
        (Media(public_url="https://cdn.example.org/m/"), "https://cdn.example.org/m/x.png"),
        (Media(url="s3://bucket/a/b"), "https://bucket.s3.amazonaws.com/a/b/x.png"),
        (Media(url="s3://bucket"), "https://bucket.s3.amazonaws.com/x.png"),
        (Media(url="s3://bucket", public_url="https://cdn"), "https://cdn/x.png"),
    ],
)
def test_a_file_is_fetched_from_where_its_store_serves_it(
    media: Media, url: str, tmp_path: Path
) -> None:
    store = open_store(Settings(data=tmp_path, media=media))

    assert store.url("x.png", "https://chat.example.org") == url


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_directory_is_named_by_its_path_or_as_an_address(form: str, tmp_path: Path) -> None:
    directory = tmp_path / "files"
    store = open_store(Settings(data=tmp_path, media=Media(url=form.format(directory))))
    name = asyncio.run(store.keep(upload(b"x")))

    assert (directory / name).read_bytes() == b"x"


def test_a_directory_that_went_away_is_told(tmp_path: Path) -> None:
    store = open_store(Settings(data=tmp_path))
    (tmp_path / "media").rmdir()
    (tmp_path / "media").write_bytes(b"")

    with pytest.raises(StorageError) as error:
        asyncio.run(store.keep(upload(b"x")))
    assert str(tmp_path) not in str(error.value)
