import re
from pathlib import Path
from typing import Any

import pytest

from airy_ray.config import Settings, is_loopback, load
from airy_ray.errors import ConfigError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep an `airy.yaml` of the developer's out of the tests."""
    monkeypatch.chdir(tmp_path)


def settings(
    flags: dict[str, Any] | None = None,
    *,
    file: str | None = None,
    environment: dict[str, str] | None = None,
) -> Settings:
    """Load settings from what is given, and from nothing else."""
    path = None
    if file is not None:
        path = Path("given.yaml")
        path.write_text(file)
    return load(flags or {}, file=path, environment=environment or {})


def test_without_anything_the_defaults_hold() -> None:
    assert settings() == Settings()
    assert (settings().http.host, settings().http.port) == ("127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("flags", "environment", "file", "port"),
    [
        pytest.param({}, {}, "http: {port: 1}", 1, id="the file over the default"),
        pytest.param({}, {"AIRY_HTTP__PORT": "2"}, "http: {port: 1}", 2, id="environment over it"),
        pytest.param(
            {"http.port": 3}, {"AIRY_HTTP__PORT": "2"}, "http: {port: 1}", 3, id="a flag over all"
        ),
        pytest.param({"http.port": None}, {}, "http: {port: 1}", 1, id="a flag that is not given"),
    ],
)
def test_flags_win_over_environment_over_file_over_defaults(
    flags: dict[str, Any], environment: dict[str, str], file: str, port: int
) -> None:
    assert settings(flags, environment=environment, file=file).http.port == port


def test_sources_of_settings_are_merged_key_by_key() -> None:
    found = settings(
        {"http.port": 9000},
        file="http: {public_url: 'https://chat.example.org'}\npartitions: 2",
        environment={"AIRY_SOURCES__FACEBOOK__APP_SECRET": "s", "AIRY_PARTITIONS": "8"},
    )

    assert (found.http.port, found.http.public_url) == (9000, "https://chat.example.org")
    assert found.partitions == 8
    assert found.sources.facebook.app_secret is not None


def test_the_file_of_the_working_directory_is_read() -> None:
    Path("airy.yaml").write_text("partitions: 7")

    assert settings().partitions == 7


@pytest.mark.parametrize("content", ["", "# nothing\n"])
def test_an_empty_file_changes_nothing(content: str) -> None:
    assert settings(file=content) == Settings()


@pytest.mark.parametrize(
    ("file", "told"),
    [
        pytest.param("http: {prt: 1}", "http.prt: unknown setting", id="an unknown key"),
        pytest.param("colour: red", "colour: unknown setting", id="an unknown section"),
        pytest.param("http: {port: http}", "http.port: input should be a valid integer", id="type"),
        pytest.param("partitions: 0", "partitions: input should be greater", id="out of range"),
        pytest.param("http: 8000", "http: input should be", id="no section"),
        pytest.param("- a\n- b", "given.yaml: expected keys and values", id="a list"),
        pytest.param("a: [", "given.yaml: while parsing", id="no YAML"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(file: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(file=file)
    assert str(refused.value).startswith(told)


def test_an_unknown_name_in_the_environment_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^http.prt: unknown setting$"):
        settings(environment={"AIRY_HTTP__PRT": "1"})


def test_other_names_in_the_environment_are_not_ours() -> None:
    assert settings(environment={"HTTP__PORT": "1", "PATH": "/bin"}) == Settings()


@pytest.mark.parametrize("value", ["not a port: hunter2", "hunter2"])
def test_a_wrong_value_is_not_repeated(value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings({"http.port": value})
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: No such file"):
        load({}, file=Path("missing.yaml"), environment={})


def test_a_file_that_is_no_text_is_named() -> None:
    Path("binary.yaml").write_bytes(b"partitions: \xff")

    with pytest.raises(ConfigError, match=r"^binary\.yaml: "):
        load({}, file=Path("binary.yaml"), environment={})


def test_a_secret_is_never_shown() -> None:
    found = settings({"security.system_token": "hunter2"})

    assert "hunter2" not in repr(found) + str(found) + found.model_dump_json()


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param({"http.host": "127.0.0.1"}, id="this machine"),
        pytest.param({"http.host": "::1"}, id="this machine, IPv6"),
        pytest.param({"http.host": "localhost"}, id="by name"),
        pytest.param({"http.host": "0.0.0.0", "security.system_token": "t"}, id="with a token"),
        pytest.param({"http.host": "0.0.0.0", "insecure": True}, id="on purpose"),
    ],
)
def test_it_may_listen_where_only_those_reach_it_who_may(flags: dict[str, Any]) -> None:
    assert settings(flags).http.host == flags["http.host"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "chat.example.org", ""])
def test_it_does_not_listen_to_the_world_without_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match=r"^http.host: .*system_token"):
        settings({"http.host": host})


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("10.0.0.1", "0.0.0.0", "localhost.example.org", "")],
)
def test_only_addresses_of_this_machine_are_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_archive_is_in_the_data_directory_unless_it_is_put_elsewhere() -> None:
    inside = settings({"data": "/srv/airy"})
    elsewhere = settings({"data": "/srv/airy", "archive.url": "/mnt/archive"})

    assert inside.archive_directory == Path("/srv/airy/archive")
    assert elsewhere.archive_directory == Path("/mnt/archive")


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().http.port = 1  # type: ignore[misc]


@pytest.mark.parametrize("url", ["files", "/srv/files", "file:///srv/files", "s3://b/p", "gs://b"])
def test_files_are_kept_in_a_directory_or_an_object_store(url: str) -> None:
    assert settings({"media.url": url}).media.url == url


def test_files_cannot_be_kept_elsewhere() -> None:
    with pytest.raises(ConfigError, match=r"^media\.url: expected a directory or one of file, s3"):
        settings({"media.url": "ftp://example.org"})


OIDC = {"provider": "github", "client_id": "c", "allowed_email_patterns": "*@example.org"}


def test_a_login_is_enough_to_be_reached_from_elsewhere() -> None:
    flags = {"http.host": "0.0.0.0", "security.oidc": OIDC}

    assert settings(flags).security.oidc is not None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"allowed_email_patterns": " , "}, "expected a pattern", id="nobody"),
        pytest.param({"provider": "token"}, "this name is ours", id="a name of ours"),
        pytest.param({"provider": "Git Hub"}, "provider", id="no name"),
        pytest.param({"clientId": "c"}, "unknown setting", id="the reference's spelling"),
        pytest.param({"authorization_grant_type": "implicit"}, "authorization_code", id="grant"),
    ],
)
def test_a_login_that_cannot_be_is_refused_at_start(changed: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        settings({"security.oidc": OIDC | changed})


def test_bots_are_told_their_keys_by_the_environment() -> None:
    found = settings(
        file="bots: {openai: {url: http://llm:8000/v1, model: small}}",
        environment={"AIRY_BOTS__OPENAI__API_KEY": "sk-1"},
    ).bots.openai

    assert found is not None
    assert found.api_key is not None
    assert (found.api_key.get_secret_value(), found.mode) == ("sk-1", "answer")
    assert "sk-1" not in repr(found)


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("bots: {rasa: {}}", "bots.rasa.webhook_url: field required"),
        ("bots: {rasa: {webhook_url: 'rasa:5005'}}", "bots.rasa.webhook_url: expected an address"),
        ("bots: {rasa: {webhook_url: 'http://['}}", "bots.rasa.webhook_url: "),
        ("bots: {openai: {url: http://llm, model: m, mode: shout}}", "bots.openai.mode: "),
        ("bots: {ibm_watson_assistant: {url: http://w}}", "bots.ibm_watson_assistant.api_key: "),
        ("bots: {eliza: {}}", "bots.eliza: unknown setting"),
    ],
)
def test_a_bot_that_is_half_configured_is_told(file: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(key)}"):
        settings(file=file)
