"""`airy-ray quarantine`: which records could not be projected, and why; never what was in them."""

from pathlib import Path
from typing import Any

import pytest

from airy_ray.model.events import Event
from airy_ray.partition import fold
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project
from airy_ray.projections.view import View
from tests.log_builders import webhook, webhooks
from tests.unit.cli.directories import Directory, run, told


@pytest.fixture
def failed(fresh: Directory, monkeypatch: pytest.MonkeyPatch) -> Directory:
    """A data directory in whose partition 00 the record at offset 1 is in quarantine."""

    def fail_for_poison(view: View, event: Event, at: int) -> Effect:
        content = getattr(getattr(event, "message", None), "content", b"")
        if b"poison" in content:
            raise KeyError(content)
        return project(view, event, at)  # type: ignore[arg-type]

    monkeypatch.setattr(fold, "project", fail_for_poison)
    contact = "contact-0"
    fresh.project([webhook("a", contact=contact), webhook("poison", contact=contact)])
    return fresh


def test_records_in_quarantine_are_listed_with_their_error(failed: Directory) -> None:
    listed = run(failed, "quarantine")

    assert listed.exit_code == 0
    header, line = listed.stdout.rstrip().splitlines()
    assert header.split() == ["record", "received", "error"]
    assert line.split() == ["00:1", "2025-11-21T08:00:00.000Z", "KeyError"]


def test_programs_hear_the_same(failed: Directory) -> None:
    assert told(failed, "quarantine") == {
        "count": 1,
        "records": [
            {
                "partition": "00",
                "offset": 1,
                "received_at": "2025-11-21T08:00:00.000Z",
                "error": "KeyError",
            }
        ],
        "unreadable": {},
        "before": None,
    }
    assert told(failed, "quarantine", "list") == told(failed, "quarantine")


def test_the_limit_leaves_out_the_oldest_and_says_how_many_there_are(
    fresh: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(view: View, event: Event, at: int) -> Effect:
        raise ValueError

    monkeypatch.setattr(fold, "project", fail)
    fresh.project(webhooks(9))

    listed = run(fresh, "quarantine", "--limit", "2")

    assert "9 in all" in listed.stderr
    assert [line.split()[1][-4:] for line in listed.stdout.splitlines()[1:]] == ["008Z", "007Z"]


def test_pages_show_each_record_once(fresh: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(view: View, event: Event, at: int) -> Effect:
        raise ValueError

    monkeypatch.setattr(fold, "project", fail)
    fresh.project(webhooks(9))
    found: list[str] = []
    more: list[Any] = []
    while more != ["--before", None]:
        page = told(fresh, "quarantine", "list", "--limit", "2", *more)
        found += [each["received_at"][-4:] for each in page["records"]]
        more = ["--before", page["before"]]

    assert found == [f"00{number}Z" for number in range(8, -1, -1)]


def test_an_empty_quarantine_says_so(directory: Directory) -> None:
    listed = run(directory, "quarantine")

    assert (listed.exit_code, listed.stdout.strip()) == (0, "no record is in quarantine")


@pytest.mark.parametrize("record", ["00:1", "0:1"])
def test_a_case_is_shown_with_where_it_happened_and_without_the_payload(
    failed: Directory, record: str
) -> None:
    shown = run(failed, "quarantine", "show", record)

    assert shown.exit_code == 0
    assert "fail_for_poison" in shown.stdout
    assert shown.stdout.rstrip().endswith("KeyError")
    assert "text of poison" not in shown.output


def test_options_may_stand_before_the_subcommand_too(failed: Directory) -> None:
    path = str(failed.path)
    before = run(failed.path, "quarantine", "--data", path, "--json", "show", "00:1")

    assert before.exit_code == 0
    assert '"error": "KeyError"' in before.stdout


def test_the_body_is_written_when_it_is_asked_for(failed: Directory, tmp_path: Path) -> None:
    file = tmp_path / "body.json"

    shown = run(failed, "quarantine", "show", "00:1", "--body", str(file))

    assert file.read_bytes() == webhook("poison", contact="contact-0").body
    assert "text of poison" not in shown.output


def test_the_body_alone_is_printed_byte_for_byte(failed: Directory) -> None:
    shown = run(failed, "quarantine", "show", "00:1", "--body", "-")

    assert shown.stdout_bytes == webhook("poison", contact="contact-0").body


@pytest.mark.parametrize(
    ("record", "said"),
    [
        pytest.param("00:0", "00:0 is not in quarantine", id="applied"),
        pytest.param("00:77", "offset 77 is outside", id="past the head"),
        pytest.param("07:1", "expected partition:offset", id="no such partition"),
        pytest.param("00", "expected partition:offset", id="no offset"),
        pytest.param("00:x", "expected partition:offset", id="no number"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    failed: Directory, record: str, said: str
) -> None:
    refused = run(failed, "quarantine", "show", record)

    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_body_that_cannot_be_written_is_refused(failed: Directory) -> None:
    refused = run(failed, "quarantine", "show", "00:1", "--body", "/nowhere/body.json")

    assert refused.exit_code == 2
    assert refused.stderr == "airy-ray: --body: /nowhere/body.json: No such file or directory\n"


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_a_record_is_dealt_with_by_the_system_that_runs(failed: Directory, command: str) -> None:
    before = failed.digest()
    refused = run(failed, "quarantine", command, "00:1")

    assert refused.exit_code == 2
    assert refused.stderr == (
        f"airy-ray: nothing runs on {failed.path.resolve()}; start it with airy-ray up\n"
    )
    assert failed.digest() == before


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_what_is_not_in_quarantine_is_not_said_to_be_dealt_with(
    failed: Directory, command: str
) -> None:
    refused = run(failed, "quarantine", command, "00:0")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "airy-ray: 00:0 is not in quarantine\n"


def test_pages_begin_where_one_has_ended(failed: Directory) -> None:
    refused = run(failed, "quarantine", "--before", "7")

    assert (refused.exit_code, "--before: expected the position" in refused.stderr) == (2, True)
