import json

import pytest

from airy_ray.model import channel
from airy_ray.model.ids import format_id
from tests import builders


def test_a_channel_is_shown_as_the_contract_says() -> None:
    stored = builders.channel("page-1", metadata=b'{"name":"A page","image_url":"https://x/y"}')

    assert json.loads(channel.rendered(stored)) == {
        "id": format_id(stored.id),
        "source": "facebook",
        "source_channel_id": "page-1",
        "connected": True,
        "metadata": {"name": "A page", "image_url": "https://x/y"},
    }


def test_a_disconnected_channel_says_so() -> None:
    shown = json.loads(channel.rendered(builders.channel(connected=False)))

    assert shown["connected"] is False


@pytest.mark.parametrize("with_metadata", [True, False])
def test_a_token_is_never_shown(with_metadata: bool) -> None:
    stored = builders.channel(token="the secret")

    assert b"the secret" not in channel.rendered(stored, with_metadata=with_metadata)


def test_events_show_a_channel_with_null_metadata() -> None:
    shown = json.loads(channel.rendered(builders.channel(), with_metadata=False))

    assert shown["metadata"] is None


def test_the_default_name_ends_with_five_characters_of_the_id() -> None:
    stored = builders.channel()

    assert channel.default_name("facebook", stored.id) == f"facebook {format_id(stored.id)[-5:]}"
