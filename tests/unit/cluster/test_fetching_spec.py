"""What fetching files is told of the settings."""

from pathlib import Path

from pydantic import SecretStr

from airy_ray.cluster.fetching_spec import fetching_spec
from airy_ray.config import Http, InboundMedia, Media, Settings, Sources, Twilio


def test_files_are_fetched_unless_that_is_switched_off() -> None:
    assert fetching_spec(Settings()) is not None
    assert fetching_spec(Settings(media=Media(inbound=InboundMedia(fetch=False)))) is None


def test_private_networks_are_left_alone_unless_they_are_allowed() -> None:
    usual = fetching_spec(Settings())
    allowing = fetching_spec(
        Settings(media=Media(inbound=InboundMedia(allow_private_networks=True)))
    )

    assert usual is not None
    assert allowing is not None
    assert (usual.allow_private_networks, allowing.allow_private_networks) == (False, True)


def test_copies_are_where_the_world_reaches_us(tmp_path: Path) -> None:
    http = Http(public_url="https://chat.example.org/")
    public, local = fetching_spec(Settings(http=http)), fetching_spec(Settings(data=tmp_path))

    assert public is not None
    assert local is not None
    assert public.base_url == "https://chat.example.org"
    assert local.base_url == "http://127.0.0.1:8000"
    assert local.directory == str(tmp_path)


def test_twilio_gives_its_files_to_who_has_the_account() -> None:
    twilio = Twilio(account_sid="AC1", auth_token=SecretStr("secret"))
    spec = fetching_spec(Settings(sources=Sources(twilio=twilio)))

    assert spec is not None
    for source in ("twilio.sms", "twilio.whatsapp"):
        access = spec.access[source]
        assert access.headers(f"{twilio.api_url}/a") == {"authorization": "Basic QUMxOnNlY3JldA=="}
        assert access.headers("https://example.org/a") == {}
