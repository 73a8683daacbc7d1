"""`airy-ray ledger`: what was received, and what became of it."""

from pathlib import Path
from typing import Any

import pytest

from airy_ray.model.ids import format_id
from airy_ray.partition.generations import path_of as state_path
from airy_ray.rawlog.record import payload_id
from tests import builders
from tests.builders import NOW
from tests.log_builders import webhook, webhooks
from tests.unit.cli.directories import Directory, run, told

RECORDS = [
    webhook("a"),
    webhook("a", at=NOW + 1_000),
    webhook("b", contact="bob", at=NOW + 2_000),
]
BODIES = {payload_id(record.body).hex(): name for record, name in zip(RECORDS, "aab", strict=True)}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Directory:
    """A data directory with a message of ada's, the same again, and one of bob's."""
    made = Directory(tmp_path_factory.mktemp("asked") / "data")
    made.project(RECORDS)
    return made


def names(answer: dict[str, Any]) -> list[tuple[str, int]]:
    return [(record["partition"], record["offset"]) for record in answer["records"]]


def times(answer: dict[str, Any]) -> list[str]:
    return [record["received_at"] for record in answer["records"]]


def test_the_newest_record_of_any_partition_comes_first(directory: Directory) -> None:
    answer = told(directory, "ledger", "--limit", "100")

    assert len(answer["records"]) == 40
    assert times(answer) == sorted(times(answer), reverse=True)
    assert {record["partition"] for record in answer["records"]} == {"00", "01"}
    assert answer["before"] is None


def test_pages_show_each_record_once_also_when_more_come_in(directory: Directory) -> None:
    whole = names(told(directory, "ledger", "--limit", "100"))

    page = told(directory, "ledger", "--limit", "7")
    directory.project(webhooks(5, first=100))
    pages = names(page)
    while page["before"] is not None:
        page = told(directory, "ledger", "--limit", "7", "--before", page["before"])
        pages += names(page)

    assert pages == whole


def test_a_line_says_when_where_what_and_which_ids_it_made(fresh: Directory) -> None:
    fresh.project([webhook("hello")])

    (record,) = told(fresh, "ledger")["records"]

    assert record["received_at"] == "2025-11-21T08:00:00.000Z"
    assert (record["source"], record["kind"], record["verdict"]) == (
        "facebook",
        "webhook",
        "applied",
    )
    assert record["message_ids"] == [format_id(builders.message_id("hello"))]
    assert record["body_bytes"] == len(webhook("hello").body)


def test_what_is_ignored_says_why(fresh: Directory) -> None:
    fresh.project([webhook("hello"), webhook("hello")])

    shown = run(fresh, "ledger")

    assert shown.exit_code == 0
    assert "ignored" in shown.stdout
    assert "duplicate" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param(["--source", "facebook"], ["a", "a", "b"], id="source"),
        pytest.param(["--source", "google"], [], id="another source"),
        pytest.param(["--verdict", "ignored"], ["a"], id="verdict"),
        pytest.param(["--since", "2025-11-21T08:00:02"], ["b"], id="since"),
        pytest.param(["--until", "2025-11-21T09:00:01+01:00"], ["a"], id="until"),
        pytest.param(
            ["--since", "2025-11-21T08:00:01Z", "--until", "2025-11-21T08:00:02Z"],
            ["a"],
            id="between",
        ),
        pytest.param(
            ["--message", format_id(builders.message_id("b", contact="bob"))], ["b"], id="message"
        ),
        pytest.param(
            ["--conversation", format_id(builders.conversation_id("bob"))], ["b"], id="conversation"
        ),
        pytest.param(
            ["--conversation", format_id(builders.conversation_id("carol"))], [], id="nobody's"
        ),
    ],
)
def test_only_what_was_asked_for_is_shown(
    asked: Directory, arguments: list[str], found: list[str]
) -> None:
    answer = told(asked, "ledger", *arguments)

    assert sorted(BODIES[record["payload_id"]] for record in answer["records"]) == found


def test_a_body_is_recognised_by_its_bytes(directory: Directory, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(webhooks(1, first=17)[0].body)

    answer = told(directory, "ledger", "--payload-file", str(file))

    assert times(answer) == ["2025-11-21T08:00:00.017Z"]


def test_a_body_is_recognised_by_its_payload_id(directory: Directory) -> None:
    body = webhooks(1, first=17)[0].body

    answer = told(directory, "ledger", "--payload", payload_id(body).hex())

    assert times(answer) == ["2025-11-21T08:00:00.017Z"]


def test_all_that_is_known_of_a_record_is_shown_without_what_it_says(asked: Directory) -> None:
    (line,) = told(asked, "ledger", "--verdict", "ignored")["records"]
    record = f"{line['partition']}:{line['offset']}"
    shown = run(asked, "ledger", "show", record)

    assert shown.exit_code == 0
    assert f"{record}, received 2025-11-21T08:00:01.000Z" in shown.stdout
    assert "duplicate" in shown.stdout
    assert format_id(builders.conversation_id()) in shown.stdout
    assert "text of a" not in shown.output


def test_programs_hear_the_same_of_a_record(asked: Directory) -> None:
    (line,) = told(asked, "ledger", "--verdict", "ignored")["records"]
    shown = told(asked, "ledger", "show", f"{line['partition']}:{line['offset']}")

    assert shown.pop("record") == f"{line['partition']}:{line['offset']}"
    assert shown.pop("repeats") is None
    assert [route["channel"] for route in shown.pop("routes")] == [builders.PAGE]
    assert shown == {key: line[key] for key in shown}


def test_what_came_in_is_written_byte_for_byte(asked: Directory, tmp_path: Path) -> None:
    (line,) = told(asked, "ledger", "--verdict", "ignored")["records"]
    record = f"{line['partition']}:{line['offset']}"
    file = tmp_path / "body.json"
    shown = run(asked, "ledger", "show", record, "--body", str(file))

    assert file.read_bytes() == RECORDS[1].body
    assert file.stat().st_mode & 0o77 == 0
    assert "text of a" not in shown.output
    printed = run(asked, "ledger", "show", record, "--body", "-")
    assert printed.stdout_bytes == RECORDS[1].body


def test_a_record_is_sent_again_by_the_system_that_runs(asked: Directory) -> None:
    (line,) = told(asked, "ledger", "--verdict", "ignored")["records"]
    refused = run(asked, "ledger", "resend", f"{line['partition']}:{line['offset']}")

    assert refused.exit_code == 2
    assert "nothing runs on" in refused.stderr


@pytest.mark.parametrize("command", ["show", "resend"])
@pytest.mark.parametrize(
    ("record", "said"),
    [
        pytest.param("00:777", "offset 777 is outside", id="past the head"),
        pytest.param("registry:0", "offset 0 is outside", id="nothing there"),
        pytest.param("07:1", "expected partition:offset", id="no such partition"),
        pytest.param("00", "expected partition:offset", id="no offset"),
    ],
)
def test_a_record_that_is_not_there_is_refused_in_one_line(
    directory: Directory, command: str, record: str, said: str
) -> None:
    refused = run(directory, "ledger", command, record)

    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_partition_that_cannot_be_read_is_named_and_the_rest_is_shown(
    directory: Directory,
) -> None:
    (state_path(directory.specs[0].directory, 1) / "data.mdb").write_bytes(b"")

    answer = told(directory, "ledger")

    assert run(directory, "ledger").exit_code == 1
    assert list(answer["unreadable"]) == ["00"]
    assert {record["partition"] for record in answer["records"]} == {"01"}


def test_nothing_received_is_said(fresh: Directory) -> None:
    shown = run(fresh, "ledger")

    assert (shown.exit_code, shown.stdout.strip()) == (0, "nothing was found")


def test_rows_are_not_broken_for_programs_that_read_the_table(directory: Directory) -> None:
    lines = run(directory, "ledger", "--limit", "5").stdout.rstrip().splitlines()

    assert len(lines) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--since", "yesterday"], "--since: expected a time", id="no time"),
        pytest.param(["--until", "3 h"], "--until: expected a time", id="no age"),
        pytest.param(["--message", "abc"], "--message: abc is not an id", id="no message id"),
        pytest.param(["--conversation", "abc"], "--conversation: abc is not an id", id="no id"),
        pytest.param(["--payload-file", "/nowhere"], "/nowhere: No such file", id="no file"),
        pytest.param(["--payload", "abc"], "--payload: abc is not the id", id="no hex digits"),
        pytest.param(["--payload", "abcd"], "--payload: abcd is not the id", id="no digest"),
        pytest.param(["--before", "1.2"], "--before: expected the position", id="too short"),
        pytest.param(["--before", "a.b.c"], "--before: expected the position", id="no numbers"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_one_line(
    directory: Directory, arguments: list[str], said: str
) -> None:
    refused = run(directory, "ledger", *arguments)

    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
