"""`airy-ray import-contacts`: what files it reads, what it sends, how it ends."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from airy_ray.cli import import_contacts as command
from airy_ray.cli.app import app
from airy_ray.cli.contact_files import contacts_in
from airy_ray.errors import ConfigError
from airy_ray.serve.ports import free_port

ADA = {"display_name": "Ada", "via": {"email": "a@x.org"}, "address": {"city": "London"}}
BOB = {"display_name": "Bob", "timezone": 1}


class Importer:
    """Takes contacts as `contacts.import` does: what comes again under a key is known."""

    def __init__(self, answers: list[int]) -> None:
        self.taken: dict[str, Any] = {}
        self.answers = answers
        self.authorization: list[str | None] = []

    @property
    def contacts(self) -> list[Any]:
        return [contact for contacts in self.taken.values() for contact in contacts]

    def take(self, handler: BaseHTTPRequestHandler) -> int:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        self.authorization.append(handler.headers["authorization"])
        status = self.answers.pop(0) if self.answers else 201
        if status == 201:
            assert handler.path == "/contacts.import"
            self.taken[handler.headers["idempotency-key"]] = json.loads(body)
        return status


@contextmanager
def serving(importer: Importer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(importer.take(self))
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def importer() -> Importer:
    return Importer([])


@pytest.fixture
def url(importer: Importer) -> Iterator[str]:
    with serving(importer) as where:
        yield where


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where no airy.yaml is, and don't take breaks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_FIRST_PAUSE_S", 0.0)


def file_of(tmp_path: Path, text: str, name: str = "contacts.json") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def imported(file: Path, url: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["import-contacts", str(file), "--url", url, *more])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("c.json", json.dumps([ADA, BOB]), id="array"),
        pytest.param("c.json", "\n " + json.dumps([ADA, BOB], indent=2), id="array in lines"),
        pytest.param("c.jsonl", f"{json.dumps(ADA)}\n\n{json.dumps(BOB)}\n", id="lines"),
        pytest.param("c.json", "\ufeff" + json.dumps([ADA, BOB]), id="byte order mark"),
    ],
)
def test_json_is_read_as_an_array_or_as_lines(name: str, text: str, tmp_path: Path) -> None:
    found = contacts_in(file_of(tmp_path, text, name))

    assert [each.contact for each in found] == [ADA, BOB]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_nests_at_its_dots(delimiter: str, tmp_path: Path) -> None:
    rows = [
        ("display_name", "via.email", "address.city", "timezone"),
        ("Ada", "a@x.org", "London", ""),
        ("", "", "", ""),
        ('"Bob\nthe Builder"', "", "", "1"),
    ]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    found = list(contacts_in(file_of(tmp_path, text, "c.csv")))

    assert [each.contact for each in found] == [
        ADA,
        {"display_name": "Bob\nthe Builder", "timezone": "1"},
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        pytest.param("c.json", '[{"timezone": "noon"}]', "contact 1: timezone: ", id="field"),
        pytest.param("c.json", "[1]", "contact 1: ", id="no object"),
        pytest.param("c.json", '[{"a": ', "not JSON", id="half an array"),
        pytest.param("c.json", "[" * 100_000, "not JSON", id="deep"),
        pytest.param("c.jsonl", '{}\n{"metadata": NaN}', "line 2: not JSON", id="half a line"),
        pytest.param("c.csv", "name\nAda", "can be called 'name'", id="column"),
        pytest.param("c.csv", "via.\nAda", "can be called 'via.'", id="column without a key"),
        pytest.param("c.csv", "title\na,b", "line 2: has more cells", id="cells"),
        pytest.param("c.csv", "timezone\nnoon", "line 2: timezone: ", id="cell"),
        pytest.param("c.csv", 'title\n"a', "line 2", id="quote"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place_and_nothing_is_sent(
    name: str, text: str, said: str, tmp_path: Path, importer: Importer, url: str
) -> None:
    refused = imported(file_of(tmp_path, text, name), url)

    assert (refused.exit_code, refused.stdout, importer.taken) == (2, "", {})
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_file_that_is_not_text_or_not_there_is_refused(tmp_path: Path) -> None:
    picture = tmp_path / "c.json"
    picture.write_bytes(b"\x89PNG\xff")
    for file in (picture, tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(ConfigError):
            list(contacts_in(file))


def test_all_contacts_are_sent_in_requests_of_a_bounded_size(
    tmp_path: Path, importer: Importer, url: str
) -> None:
    contacts = [{"display_name": f"contact {index}"} for index in range(450)]
    done = imported(file_of(tmp_path, json.dumps(contacts)), url, "--json")

    assert done.exit_code == 0
    assert importer.contacts == contacts
    assert [len(each) for each in importer.taken.values()] == [200, 200, 50]
    assert {key: json.loads(done.stdout)[key] for key in ("contacts", "requests")} == {
        "contacts": 450,
        "requests": 3,
    }


def test_large_contacts_are_sent_in_more_requests(
    tmp_path: Path, importer: Importer, url: str
) -> None:
    contacts = [{"metadata": "x" * 100_000} for _ in range(5)]
    imported(file_of(tmp_path, json.dumps(contacts)), url)

    assert [len(each) for each in importer.taken.values()] == [2, 2, 1]


def test_the_same_file_again_is_sent_under_the_same_keys(
    tmp_path: Path, importer: Importer, url: str
) -> None:
    file = file_of(tmp_path, json.dumps([{}] * 400))
    imported(file, url)
    once = dict(importer.taken)
    imported(file, url)

    assert importer.taken == once
    assert len(once) == 2


def test_an_import_goes_on_when_the_system_is_busy_for_a_moment(
    tmp_path: Path, importer: Importer, url: str
) -> None:
    importer.answers = [503, 429, 503]
    done = imported(file_of(tmp_path, json.dumps([ADA])), url)

    assert (done.exit_code, importer.contacts) == (0, [ADA])
    assert "contacts imported: 1, in " in done.stdout


def test_an_import_that_is_refused_says_how_far_it_came(
    tmp_path: Path, importer: Importer, url: str
) -> None:
    importer.answers = [201, 403]
    ended = imported(file_of(tmp_path, json.dumps([{}] * 300)), url)

    assert ended.exit_code == 1
    assert "answered 403" in ended.stderr
    assert "200 of 300 contacts are imported" in ended.stderr


def test_nothing_is_imported_where_nobody_listens(tmp_path: Path) -> None:
    refused = imported(file_of(tmp_path, "[{}]"), f"http://127.0.0.1:{free_port()}")

    assert refused.exit_code == 2
    assert "is it running?" in refused.stderr


def test_the_system_token_goes_along(tmp_path: Path, importer: Importer, url: str) -> None:
    (tmp_path / "airy.yaml").write_text('{"security": {"system_token": "secret"}}')
    imported(file_of(tmp_path, "[{}]"), url)

    assert importer.authorization == ["Bearer secret"]
