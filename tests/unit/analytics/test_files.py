"""However many days there are, few files are open, and each holds one day."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from airy_ray.analytics import files
from airy_ray.analytics.destination import Directory
from airy_ray.analytics.export import into
from airy_ray.partition.spec import PartitionSpec
from tests.builders import NOW
from tests.log_builders import append, owned, settle, webhook
from tests.unit.analytics.exports import HISTORY, newest_in, tables_in


class CountingDirectory(Directory):
    """A directory that counts how many files are written side by side."""

    opened_max = 0
    _opened = 0

    def scratch(self, name: str) -> Path:
        self._opened += 1
        self.opened_max = max(self.opened_max, self._opened)
        return super().scratch(name)

    def keep(self, name: str, written: Path) -> None:
        self._opened -= 1
        super().keep(name, written)


@pytest.mark.parametrize("file_rows", [1, 30, 1_000])
def test_few_files_are_open_however_many_days_there_are(
    own: PartitionSpec, to: Path, monkeypatch: pytest.MonkeyPatch, file_rows: int
) -> None:
    monkeypatch.setattr(files, "_OPEN_MAX", 2)
    monkeypatch.setattr(files, "_WAITING_BYTES", 10_000)
    monkeypatch.setattr(files, "_FILE_ROWS", file_rows)
    day = 86_400_000
    records = [
        webhook(str(number), contact=f"contact-{number % 3}", at=NOW + number % 5 * day + number)
        for number in range(400)
    ]
    append(own.directory, records)
    with owned(own) as opened:
        settle(opened)
    to.mkdir()
    directory = CountingDirectory(to)
    list(into(directory, [own], HISTORY, is_full=False))

    assert directory.opened_max == min(file_rows, 2)
    days = {row["id"]: str(row["sent_at"].date()) for row in newest_in(to)["messages"].values()}
    assert len(set(days.values())) == 5
    assert tables_in(to)["messages"].num_rows == 400
    for file in (to / "messages").rglob("*.parquet"):
        told = {days[row["id"]] for row in pq.ParquetFile(file).read().to_pylist()}
        assert {f"date={each}" for each in told} == {file.parent.name}
