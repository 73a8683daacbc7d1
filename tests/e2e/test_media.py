"""Files uploaded and fetched (contract: platform API §7.12, sources §10)."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.client import Client
from tests.e2e.conftest import FILE_BYTES_MAX, SYSTEM_TOKEN
from tests.e2e.program import Running, until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
LARGE_BYTES = 100 << 20
GROWTH_BYTES_MAX = 50 << 20
ORIGIN = "https://inbox.example.org"


def upload(
    client: Client,
    content: bytes,
    name: str = "a.png",
    *,
    path: str = "/media.upload",
    **headers: str,
) -> httpx.Response:
    return client.http.post(path, files={"file": (name, content)}, headers=headers)


def url_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    assert list(response.json()) == ["media_url"]
    return str(response.json()["media_url"])


@pytest.fixture(scope="module")
def picture(client: Client) -> str:
    """The address of a picture."""
    return url_of(upload(client, PNG))


@pytest.mark.parametrize("path", ["/media.upload", "/media.uploadFile"])
def test_a_file_comes_back_as_it_went_in(path: str, client: Client) -> None:
    url = url_of(upload(client, PNG, path=path))
    fetched = httpx.get(url)

    assert url.startswith(f"{client.url}/media/")
    assert url.endswith(".png")
    assert fetched.content == PNG
    assert fetched.headers["content-type"] == "image/png"


def test_the_same_file_has_the_same_address(client: Client, platform: Running) -> None:
    before = set((platform.home.data / "media").iterdir())
    one = url_of(upload(client, b"the same", "a.bin"))
    again = url_of(upload(client, b"the same", "b.bin"))
    other_end = url_of(upload(client, b"the same", "a"))
    stored = set((platform.home.data / "media").iterdir()) - before

    assert one == again == f"{other_end}.bin"
    assert len(stored) == 2


def test_addresses_are_what_a_proxy_in_front_says(client: Client) -> None:
    headers = {"x-forwarded-proto": "https", "x-forwarded-host": "chat.example.org"}
    url = url_of(upload(client, PNG, **headers))

    assert url.startswith("https://chat.example.org/media/")


@pytest.mark.parametrize(
    ("part", "status", "message"),
    [
        pytest.param(
            'form-data; name="file"',
            422,
            "Request is missing original file name",
            id="no file name",
        ),
        pytest.param(
            'form-data; name="file"; filename=""',
            422,
            "Request is missing original file name",
            id="an empty file name",
        ),
        pytest.param(
            'form-data; name="other"; filename="a.png"',
            400,
            "Media Upload failed with error: the form has no part file",
            id="another part",
        ),
    ],
)
def test_a_form_without_a_file_and_its_name_is_refused(
    part: str, status: int, message: str, client: Client
) -> None:
    body = f"--X\r\nContent-Disposition: {part}\r\n\r\nhello\r\n--X--\r\n".encode()
    response = client.post_bytes(
        "/media.upload", body, content_type="multipart/form-data; boundary=X"
    )

    assert (response.status_code, response.json()) == (status, {"message": message})


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "multipart/form-data; boundary=X", 400),
        (b"hello", "multipart/form-data; boundary=X", 400),
        (b"--X\r\n\r\n", "multipart/form-data; boundary=X", 400),
        (b"--X--", "multipart/form-data", 400),
        (b'{"file":"a"}', "application/json", 415),
        (b"", "", 415),
    ],
)
def test_what_is_no_form_is_refused(
    body: bytes, content_type: str, status: int, client: Client
) -> None:
    response = client.post_bytes("/media.upload", body, content_type=content_type)

    assert response.status_code == status
    assert list(response.json()) == ["message"]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(client: Client) -> None:
    host, port = client.http.base_url.host, client.http.base_url.port or 80
    head = (
        "POST /media.upload HTTP/1.1\r\nHost: a\r\n"
        "Content-Type: multipart/form-data; boundary=X\r\n"
        f"Content-Length: {FILE_BYTES_MAX * 2}\r\n\r\n"
    )
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(1_000)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_file_that_turns_out_too_large_is_refused(client: Client) -> None:
    def body() -> Iterator[bytes]:
        yield b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
        for _ in range((FILE_BYTES_MAX >> 20) + 1):
            yield bytes(1 << 20)
        yield b"\r\n--X--\r\n"

    content_type = "multipart/form-data; boundary=X"
    response = client.http.post(
        "/media.upload", content=body(), headers={"content-type": content_type}
    )

    assert response.status_code == 413


def test_a_large_file_is_never_in_memory(client: Client, platform: Running, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        file.truncate(LARGE_BYTES)
    upload(client, PNG)  # what is needed for any file is there
    serving = [
        pid
        for pid, title in platform.processes().items()
        if "ServeReplica" in title or "haproxy" in title
    ]
    before = {pid: _reset_peak(pid) for pid in serving}
    with large.open("rb") as file:
        url = url_of(client.http.post("/media.upload", files={"file": ("large.mp4", file)}))
    fetched = 0
    with httpx.stream("GET", url, timeout=60) as response:
        assert response.headers["content-length"] == str(LARGE_BYTES)
        for piece in response.iter_bytes():
            fetched += len(piece)
    growth = {pid: _peak(pid) - resident for pid, resident in before.items()}

    assert fetched == LARGE_BYTES
    assert len(serving) >= 3
    assert max(growth.values()) < GROWTH_BYTES_MAX, growth


def test_what_was_begun_leaves_nothing_behind(client: Client, platform: Running) -> None:
    upload(client, b"hello", "a.bin")
    stored = {path.name for path in (platform.home.data / "media").iterdir()}

    assert all(len(name.partition(".")[0]) == 36 for name in stored)
    assert not list(platform.home.data.glob("tmp*"))


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, len(PNG)),
        ("bytes=-7", len(PNG) - 7, len(PNG)),
        ("bytes=10-99999999", 10, len(PNG)),
    ],
)
def test_a_part_of_a_file_can_be_fetched(asked: str, first: int, end: int, picture: str) -> None:
    response = httpx.get(picture, headers={"range": asked})

    assert response.status_code == 206
    assert response.content == PNG[first:end]
    assert response.headers["content-range"] == f"bytes {first}-{end - 1}/{len(PNG)}"
    assert response.headers["accept-ranges"] == "bytes"


def test_a_part_behind_the_end_cannot_be_fetched(picture: str) -> None:
    response = httpx.get(picture, headers={"range": f"bytes={len(PNG)}-"})

    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(PNG)}"


def test_a_part_of_another_version_is_the_whole(picture: str) -> None:
    headers = {"range": "bytes=0-9", "if-range": '"another"'}

    assert httpx.get(picture, headers=headers).content == PNG


def test_who_has_a_file_already_need_not_fetch_it_again(picture: str) -> None:
    first = httpx.get(picture)
    again = httpx.get(picture, headers={"if-none-match": first.headers["etag"]})

    assert "immutable" in first.headers["cache-control"]
    assert first.headers["vary"] == "origin"
    assert (again.status_code, again.content) == (304, b"")


def test_the_head_of_a_file_tells_of_it(picture: str) -> None:
    response = httpx.head(picture)

    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["content-length"] == str(len(PNG))
    assert response.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("content", "name", "kind", "disposition"),
    [
        pytest.param(PNG, "a", "image/png", "inline", id="a picture without an extension"),
        pytest.param(
            b"<html><script>alert(1)</script>",
            "a.html",
            "application/octet-stream",
            "attachment",
            id="a page",
        ),
        pytest.param(
            b"<!DOCTYPE html><script>alert(1)</script>",
            "a.png",
            "application/octet-stream",
            "attachment",
            id="a page called a picture",
        ),
        pytest.param(
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
            "a.svg",
            "image/svg+xml",
            "attachment",
            id="a drawing",
        ),
        pytest.param(b"hello", "a.txt", "text/plain", "attachment", id="a text"),
        pytest.param(b"", "a.bin", "application/octet-stream", "attachment", id="nothing"),
    ],
)
def test_no_file_runs_as_a_page_of_the_platform(
    content: bytes, name: str, kind: str, disposition: str, client: Client
) -> None:
    response = httpx.get(url_of(upload(client, content, name)))

    assert response.content == content
    assert response.headers["content-type"] == kind
    assert response.headers["content-disposition"] == disposition
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox;")


@pytest.mark.parametrize(
    "path",
    [
        "/media/",
        "/media/nothing.png",
        "/media/00000000-0000-8000-8000-000000000000.png",
        "/media/../layout.json",
        "/media/..%2flayout.json",
        "/media/%2e%2e/layout.json",
        "/media/..%5clayout.json",
        "/media//etc/passwd",
        "/media/00000000-0000-8000-8000-000000000000/../../layout.json",
        "/media/00000000-0000-8000-8000-000000000000.png%00",
        "/media/00000000-0000-8000-8000-000000000000.png%0a",
    ],
)
def test_nothing_but_uploaded_files_can_be_fetched(path: str, client: Client) -> None:
    host, port = client.http.base_url.host, client.http.base_url.port or 80
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4_096), b""))

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"partitions" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_file_cannot_be_changed(method: str, picture: str) -> None:
    assert httpx.request(method, picture).status_code == 405
    assert httpx.get(picture).content == PNG


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_files_are_posted(method: str, client: Client) -> None:
    assert client.http.request(method, "/media.upload").status_code == 405


def test_pages_of_allowed_origins_may_send_and_fetch_files(client: Client, picture: str) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    answers = [
        client.http.options("/media.upload", headers=asked),
        upload(client, PNG, origin=ORIGIN),
        upload(client, PNG, origin=ORIGIN, content_type="text/plain"),
        httpx.get(picture, headers={"origin": ORIGIN}),
    ]

    assert [each.headers["access-control-allow-origin"] for each in answers] == [ORIGIN] * 4


def test_with_authentication_on_users_and_visitors_may_send_files(guarded: Running) -> None:
    with Client(guarded.url) as client:
        website = client.call(
            "/channels.chatplugin.connect", {"name": "Shop"}, authorization=SYSTEM_TOKEN
        )
        visitor: Any = client.call("/chatplugin.authenticate", {"channel_id": website["id"]})
        resume = client.call("/chatplugin.resumeToken", {}, authorization=visitor["token"])
        allowed = [
            upload(client, PNG, authorization=SYSTEM_TOKEN),
            upload(client, PNG, authorization=f"Bearer {visitor['token']}"),
        ]
        refused = [
            upload(client, PNG),
            upload(client, PNG, authorization="Bearer nobody"),
            upload(client, PNG, authorization=f"Bearer {resume['resume_token']}"),
        ]
        fetched = httpx.get(url_of(allowed[0]))

    assert [each.status_code for each in allowed] == [200, 200]
    assert [(each.status_code, each.content) for each in refused] == [(403, b"")] * 3
    assert fetched.content == PNG


def test_a_full_disk_refuses_a_file_and_takes_the_next(guarded: Running) -> None:
    if not guarded.home.data.is_mount():
        pytest.skip("only who may mount can have a small disk")
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        large = upload(client, bytes(60 << 20), "a.bin")
        small = until(lambda: upload(client, b"a small one", "a.bin").status_code == 200)

    assert large.status_code == 400
    assert large.json() == {"message": "Media Upload failed with error: No space left on device"}
    assert small


def _reset_peak(pid: int) -> int:
    """Have the kernel forget how much a process held at most; return how much it holds."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _status(pid, "VmRSS")


def _peak(pid: int) -> int:
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))
