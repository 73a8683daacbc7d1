"""Where exports go: directories and object stores alike, one run at a time."""

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from airy_ray.analytics import manifest as manifests
from airy_ray.analytics.destination import Bucket, opened
from airy_ray.analytics.export import Done, into
from airy_ray.errors import ConfigError, StorageError
from airy_ray.partition.spec import PartitionSpec
from tests.log_builders import append, owned, settle, spec, webhooks
from tests.unit.analytics.exports import HISTORY


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    own = spec(tmp_path)
    append(own.directory, webhooks(20))
    with owned(own) as partition:
        settle(partition)
    return own


def test_an_object_store_holds_what_the_manifest_names_and_no_more(
    own: PartitionSpec, tmp_path: Path
) -> None:
    store = MemoryStore()
    bucket = Bucket(store, tmp_path)
    list(into(bucket, [own], HISTORY, is_full=False))
    append(own.directory, webhooks(5, first=100))
    with owned(own) as partition:
        settle(partition)

    (done,) = [
        each for each in into(bucket, [own], HISTORY, is_full=False) if isinstance(each, Done)
    ]
    assert done.rows == {"conversations": 5, "messages": 5, "contacts": 0, "events": 5}
    list(into(bucket, [own], HISTORY, is_full=True))

    content = bucket.read(manifests.NAME)
    assert content is not None
    named = {each.path for each in manifests.decode(content).files}
    found = {each["path"] for page in store.list() for each in page}
    assert found == {*named, manifests.NAME}
    assert not list(tmp_path.glob("*.parquet"))


def test_what_is_no_export_in_an_object_store_is_left_alone(
    own: PartitionSpec, tmp_path: Path
) -> None:
    store = MemoryStore()
    store.put("thesis.txt", b"years of work")

    with pytest.raises(ConfigError, match="no export of ours"):
        list(into(Bucket(store, tmp_path), [own], HISTORY, is_full=True))


def test_one_export_writes_to_a_directory_at_a_time(tmp_path: Path) -> None:
    to = tmp_path / "export"
    with (
        opened(str(to)),
        pytest.raises(ConfigError, match="another export"),
        opened(f"file://{to}"),
    ):
        pass

    with opened(str(to)):
        assert to.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("to", ["gopher://nowhere/x", "s3:///"])
def test_a_place_that_there_is_not_is_wrong_use(to: str) -> None:
    with pytest.raises(ConfigError, match="--to"), opened(to):
        pass


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="file"), opened(str(tmp_path / "file")):
        pass


def test_what_a_store_does_not_do_is_told_without_its_address(
    own: PartitionSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "nowhere")

    with pytest.raises(StorageError, match="the object store") as told, opened("s3://b/x") as to:
        to.read("export.json")
    assert "hush" not in str(told.value)
    assert "127.0.0.1" not in str(told.value)
