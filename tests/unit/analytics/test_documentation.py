"""What is written for people: the columns are those of the files, and the README's queries run."""

import re
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl
import pytest

from airy_ray.analytics.schema import SCHEMAS
from airy_ray.clock import Millis
from airy_ray.model.commands import SendMessage
from airy_ray.model.ids import format_id, message_id, owner_of
from airy_ray.partition.upkeep import Caretaker
from tests import builders
from tests.builders import NOW
from tests.log_builders import owned, project, webhook, webhooks
from tests.unit.cli.directories import PARTITIONS, Directory, run

ROOT = Path(__file__).parents[3]
_COLUMN = re.compile(r"^\| `(\w+)` \| `([^`]+)` \|", re.MULTILINE)


def test_the_documented_columns_are_those_of_the_files() -> None:
    text = (ROOT / "docs" / "export.md").read_text()
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    documented = {each.splitlines()[0]: _COLUMN.findall(each) for each in sections}

    assert documented == {
        table: [(field.name, str(field.type)) for field in schema]
        for table, schema in SCHEMAS.items()
    }


def code(language: str, mentioning: str) -> list[str]:
    """Return the README's blocks of a language that mention something."""
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S
    )
    return [each for each in blocks if mentioning in each]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with `data` and `export`, as the README has them: 40 messages of seven contacts.

    And one of ada's, which came after the first export, who is answered.
    """
    place = tmp_path_factory.mktemp("evaluated")
    directory = Directory(place / "data")
    directory.project(webhooks(40))
    for partition_spec in directory.specs[:-1]:
        with owned(partition_spec) as partition:
            caretaker = Caretaker(partition, Millis(NOW))
            caretaker.seal(Millis(NOW + 10_000_000))
    assert run(directory, "export", "--to", str(place / "export")).exit_code == 0
    directory.project([webhook("last", contact="ada", at=NOW + 1_000)])
    conversation = builders.conversation_id("ada")
    answer = SendMessage(
        id=format_id(message_id(conversation, "answer")),
        conversation_id=format_id(conversation),
        message=msgspec.Raw(b'{"text":"We do."}'),
    )
    owner = directory.specs[owner_of(conversation, PARTITIONS)]
    project(owner, [builders.command_record(answer, at=NOW + 61_000)])
    assert run(directory, "export", "--to", str(place / "export")).exit_code == 0
    return place


@pytest.fixture
def there(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported)


@pytest.mark.usefixtures("there")
def test_the_queries_for_duckdb_run_over_archive_and_export() -> None:
    (came_in,) = code("sql", "data/archive")
    (waited,) = code("sql", "export/messages")
    connection = duckdb.connect()

    rows = connection.execute(came_in).fetchall()
    assert [(source, records) for _, source, records, _ in rows] == [("facebook", 40)]
    assert all(size > 0 for *_, size in rows)

    connection.execute(waited)
    ((source, answered, median),) = connection.fetchall()
    assert (source, answered, median.total_seconds()) == ("facebook", 1, 60)
    assert connection.execute("SELECT count(*) FROM messages").fetchall() == [(42,)]


@pytest.mark.usefixtures("there")
def test_the_query_of_the_documentation_runs() -> None:
    text = (ROOT / "docs" / "export.md").read_text()
    (query,) = re.findall(r"^```sql\n(.*?)^```", text, re.M | re.S)

    assert len(duckdb.connect().execute(query).fetchall()) == 42


@pytest.mark.usefixtures("there")
def test_the_queries_for_polars_run_over_archive_and_export() -> None:
    (query,) = code("python", "import polars")
    names: dict[str, Any] = {}

    exec(query, names)

    assert names["busiest_days"]["len"].to_list() == [40]
    assert names["by_source"].rows() == [("facebook", "pending", 1), ("facebook", "delivered", 41)]
    assert pl.read_parquet("export/events/*/*.parquet")["offset"].len() == 42


@pytest.mark.usefixtures("there")
def test_polars_and_duckdb_read_every_table() -> None:
    for table, schema in SCHEMAS.items():
        pattern = f"export/{table}/**/*.parquet"
        assert set(schema.names) <= set(pl.read_parquet(pattern).columns)
        described = duckdb.connect().execute(f"DESCRIBE FROM '{pattern}'").fetchall()
        assert set(schema.names) <= {name for name, *_ in described}
