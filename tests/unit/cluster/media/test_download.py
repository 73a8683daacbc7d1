"""Files fetched from a real server: well, badly, and not at all from private networks."""

import asyncio
import io
from collections.abc import Iterator

import pytest

from airy_ray.cluster.media.download import Downloads
from airy_ray.cluster.media.upload import Upload
from airy_ray.errors import FetchError
from airy_ray.serve.ports import free_port
from tests.files_server import PICTURE, FilesServer, files_server

LOGIN = {"authorization": "Bearer T"}


@pytest.fixture
def server() -> Iterator[FilesServer]:
    with files_server() as told:
        yield told


def fetched(
    url: str, *, private: bool = True, bytes_max: int = 1 << 20, within_s: float = 20.0
) -> bytes:
    """Return what is at an address."""

    async def main() -> bytes:
        file = io.BytesIO()
        downloads = Downloads(
            bytes_max=bytes_max, within_s=within_s, allow_private_networks=private
        )
        try:
            await downloads.fetch(url, LOGIN, Upload("a.png", file))
        finally:
            await downloads.close()
        return file.getvalue()

    return asyncio.run(main())


@pytest.mark.parametrize("path", ["/a.png", "/long"])
def test_a_file_comes_as_it_is(path: str, server: FilesServer) -> None:
    assert fetched(server.url + path) == PICTURE
    assert server.asked == [(path, "Bearer T")]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"])
def test_nothing_is_fetched_from_this_machine(host: str, server: FilesServer) -> None:
    with pytest.raises(FetchError, match=r"private network|none of the web") as failed:
        fetched(f"http://{host}:{server.port}/a.png", private=False)
    assert server.asked == []
    assert not failed.value.may_pass


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "0.0.0.0"])
def test_a_redirect_is_checked_as_the_first_address_is(host: str, server: FilesServer) -> None:
    server.leads_to["/a.png"] = f"http://{host}:{server.port}/secret"
    with pytest.raises(FetchError, match="private network"):
        fetched(f"{server.url}/a.png")
    assert [path for path, _ in server.asked] == ["/a.png"]


def test_credentials_stay_at_the_host_that_they_are_for(server: FilesServer) -> None:
    with files_server() as other:
        server.leads_to |= {"/a.png": "/b.png", "/b.png": f"{other.url}/c.png"}
        assert fetched(f"{server.url}/a.png") == PICTURE
        assert server.asked == [("/a.png", "Bearer T"), ("/b.png", "Bearer T")]
        assert other.asked == [("/c.png", None)]


def test_a_signed_address_is_asked_for_letter_by_letter(server: FilesServer) -> None:
    assert fetched(f"{server.url}/a.png?s=%41%2b+~&t=a%3Db,c") == PICTURE
    assert server.lines == ["GET /a.png?s=%41%2b+~&t=a%3Db,c HTTP/1.1"]


def test_a_page_is_no_file(server: FilesServer) -> None:
    with pytest.raises(FetchError, match="it is a page") as failed:
        fetched(f"{server.url}/login")
    assert not failed.value.may_pass


def test_a_host_that_is_not_reached_is_left_alone_for_a_while(server: FilesServer) -> None:
    async def main() -> list[str]:
        downloads = Downloads(bytes_max=1, within_s=20.0, allow_private_networks=True)
        told = []
        for port in (free_port(), server.port):
            url, upload = f"http://127.0.0.1:{port}/a.png", Upload("", io.BytesIO())
            with pytest.raises(FetchError) as failed:
                await downloads.fetch(url, {}, upload)
            told.append(str(failed.value))
            assert failed.value.may_pass
        await downloads.close()
        return told

    assert asyncio.run(main()) == [
        "the host cannot be reached",
        "the host could not be reached a moment ago",
    ]


def test_redirects_end(server: FilesServer) -> None:
    server.leads_to["/a.png"] = "/a.png"
    with pytest.raises(FetchError, match="too many redirects"):
        fetched(f"{server.url}/a.png")


@pytest.mark.parametrize("path", ["/a.png", "/long"])
def test_what_is_too_large_is_not_kept(path: str, server: FilesServer) -> None:
    with pytest.raises(FetchError, match="larger than 1000 bytes") as failed:
        fetched(server.url + path, bytes_max=1_000)
    assert not failed.value.may_pass


@pytest.mark.parametrize(
    ("path", "reason", "may_pass"),
    [
        ("/cut", "ClientPayloadError", True),
        ("/slow", "takes too long", True),
        ("/gone", "answered with 404", False),
        ("/busy", "answered with 503", True),
    ],
)
def test_what_fails_tells_whether_it_may_pass(
    path: str, reason: str, may_pass: bool, server: FilesServer
) -> None:
    server.failures["/busy"] = 1
    with pytest.raises(FetchError, match=reason) as failed:
        fetched(server.url + path, within_s=1.0 if path == "/slow" else 20.0)
    assert failed.value.may_pass == may_pass


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/a", "http://", "http://["]
)
def test_only_addresses_of_the_web_are_fetched(url: str) -> None:
    with pytest.raises(FetchError, match="the address is none"):
        fetched(url)
