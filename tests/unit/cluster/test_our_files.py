"""Files of ours as messages link to them: found by their names, and whether others reach them."""

import asyncio
from pathlib import Path

import pytest

from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.cluster.our_files import OurFiles, is_reachable
from airy_ray.errors import StorageError
from airy_ray.sources.attached import OurFile

NAME = "5d41402a-bc4b-8a76-b971-9d911017c592.png"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1_000_000)
LOCAL, PUBLIC = f"http://127.0.0.1:8000/media/{NAME}", f"https://cdn.example.org/{NAME}"
GONE = f"https://cdn.example.org/{NAME.replace('5d', '6d')}"


def spec(directory: Path) -> StoreSpec:
    return StoreSpec(str(directory), None, {}, None, str(directory / "unlinked"))


def test_a_file_is_found_wherever_it_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(PNG)

    async def found() -> tuple[dict[str, OurFile], bytes]:
        files = OurFiles(spec(tmp_path))
        found = await files.at([LOCAL, PUBLIC, GONE, "https://example.org/a.png"])
        return found, b"".join([piece async for piece in files.read(found[LOCAL])])

    files, content = asyncio.run(found())
    assert files == {
        LOCAL: OurFile(NAME, len(PNG), "image/png"),
        PUBLIC: OurFile(NAME, len(PNG), "image/png", is_reachable=True),
    }
    assert content == PNG


def test_without_a_store_there_are_none() -> None:
    async def found() -> dict[str, OurFile]:
        return await OurFiles(None).at([LOCAL])

    assert asyncio.run(found()) == {}


def test_a_store_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(tmp_path / NAME)

    async def found() -> dict[str, OurFile]:
        return await OurFiles(spec(tmp_path)).at([LOCAL])

    with pytest.raises(StorageError):
        asyncio.run(found())


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("airy.example.org", True),
        ("93.184.216.34", True),
        ("[2606:4700::1]:8443", True),
        ("127.0.0.1:8000", False),
        ("10.0.0.7", False),
        ("169.254.169.254", False),
        ("[::1]", False),
        ("[::ffff:127.0.0.1]", False),
        ("localhost:8000", False),
        ("airy", False),
        ("airy.localhost", False),
        ("printer.local", False),
        ("airy.internal.", False),
        ("", False),
    ],
)
def test_what_is_reached_from_elsewhere_is_told_by_the_host(host: str, is_one: bool) -> None:
    assert is_reachable(f"http://{host}/media/{NAME}") is is_one
