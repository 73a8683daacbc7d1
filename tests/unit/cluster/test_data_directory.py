"""The data directory: made once, and never taken for what it is not."""

from pathlib import Path

import pytest

from airy_ray.cluster.layout import LAYOUT_VERSION, jwt_secret, prepare_data, read_layout, specs
from airy_ray.config import Settings
from airy_ray.errors import ConfigError
from airy_ray.model.ids import REGISTRY


def settings(data: Path, **fields: object) -> Settings:
    return Settings.model_validate({"data": data, **fields})


def test_a_directory_is_made_once_and_stays_what_it_is(tmp_path: Path) -> None:
    made = prepare_data(settings(tmp_path / "data", partitions=3))

    assert (made.version, made.partitions) == (LAYOUT_VERSION, 3)
    assert prepare_data(settings(tmp_path / "data")) == made == read_layout(tmp_path / "data")


def test_each_directory_has_a_history_of_its_own(tmp_path: Path) -> None:
    histories = {prepare_data(settings(tmp_path / name)).history for name in ("a", "b")}

    assert len(histories) == 2


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    prepare_data(settings(tmp_path, partitions=3))

    with pytest.raises(ConfigError, match="was made for 3"):
        prepare_data(settings(tmp_path, partitions=4))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(b"\xff\xfe", "cannot be read", id="no text"),
        pytest.param(b'{"version":"\xff"}', "cannot be read", id="no text in text"),
        pytest.param(b'{"version":1}', "cannot be read", id="incomplete"),
        pytest.param(b'{"version":9,"partitions":4,"history":"a"}', "version 9", id="newer"),
    ],
)
def test_a_directory_that_is_not_understood_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "layout.json").write_bytes(content)

    with pytest.raises(ConfigError, match=problem):
        prepare_data(settings(tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["layout.json"]


def test_what_is_no_data_directory_is_not_read_as_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a data directory"):
        read_layout(tmp_path)


def test_partitions_without_a_layout_are_not_given_a_new_one(tmp_path: Path) -> None:
    prepare_data(settings(tmp_path, partitions=3))
    (tmp_path / "partitions" / "00").mkdir(parents=True)
    (tmp_path / "layout.json").unlink()

    with pytest.raises(ConfigError, match=r"layout\.json"):
        prepare_data(settings(tmp_path, partitions=4))


def test_every_partition_and_the_registry_has_a_directory_of_its_own(tmp_path: Path) -> None:
    chosen = settings(tmp_path, partitions=2)
    found = specs(chosen, prepare_data(chosen))

    assert [spec.index for spec in found] == [0, 1, REGISTRY]
    assert [spec.name for spec in found] == ["00", "01", "registry"]
    assert len({spec.directory for spec in found}) == 3
    assert {(spec.count, spec.archive) for spec in found} == {(2, tmp_path / "archive")}


def test_the_key_for_tokens_is_made_once_unless_one_is_configured(tmp_path: Path) -> None:
    made = jwt_secret(settings(tmp_path))

    assert made == jwt_secret(settings(tmp_path)) != ""
    assert (tmp_path / "jwt-secret").stat().st_mode & 0o077 == 0
    configured = settings(tmp_path, security={"jwt_secret": "c" * 48})
    assert jwt_secret(configured) == "c" * 48
