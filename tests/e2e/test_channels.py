"""`channels.*`: connected, listed, renamed, disconnected (contract: platform API §7.6)."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.e2e import platforms, recorded
from tests.e2e.client import Client
from tests.e2e.platforms import GraphApi, Played
from tests.e2e.program import Running

NOBODY = "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a9999"
LOGS = (".log", ".out", ".err")
SOURCES = (
    "chatplugin",
    "facebook",
    "google",
    "instagram",
    "whatsapp",
    "twilio.sms",
    "twilio.whatsapp",
    "viber",
    "telegram",
)


def new_name() -> str:
    return f"name-{uuid4().hex[:12]}"


def listed(client: Client, **asked: Any) -> list[Any]:
    channels: list[Any] = client.call("/channels.list", asked or None)["data"]
    return channels


def test_a_website_is_a_new_channel_each_time(client: Client) -> None:
    asked = {"name": new_name(), "image_url": "https://example.org/i.png"}
    one = client.call("/channels.chatplugin.connect", asked)
    other = client.call("/channels.chatplugin.connect", asked)

    assert UUID(one["id"]) != UUID(other["id"])
    assert one == {
        "id": one["id"],
        "source": "chatplugin",
        "source_channel_id": asked["name"],
        "connected": True,
        "metadata": asked,
    }


def test_an_image_is_taken_as_the_clients_spell_it(client: Client) -> None:
    asked = {"name": new_name(), "imageUrl": "https://example.org/i.png"}
    website = client.call("/channels.chatplugin.connect", asked)

    assert website["metadata"]["image_url"] == "https://example.org/i.png"


def test_an_agent_connected_again_is_the_same_channel(client: Client) -> None:
    agent = new_name()
    one = client.connect_agent(agent, "Before")
    other = client.connect_agent(agent, "After")

    assert one["id"] == other["id"]
    assert (other["source"], other["source_channel_id"]) == ("google", agent)
    assert other["metadata"] == {"name": "After"}


def test_a_page_is_called_what_meta_calls_it(client: Client) -> None:
    page = new_name()
    asked = {"page_id": page, "page_token": "EAAshort"}
    channel = client.call("/channels.facebook.connect", asked)

    assert channel == {
        "id": channel["id"],
        "source": "facebook",
        "source_channel_id": page,
        "connected": True,
        "metadata": {
            "name": "Blips and Chitz",
            "image_url": "https://scontent.example.org/p1.jpg",
            "page_id": page,
        },
    }


def test_what_a_page_is_called_can_be_said(client: Client) -> None:
    asked = {"page_id": new_name(), "page_token": "t", "name": "Ours", "image_url": "https://i"}
    metadata = client.call("/channels.facebook.connect", asked)["metadata"]

    assert metadata == {"name": "Ours", "image_url": "https://i", "page_id": asked["page_id"]}


def test_an_instagram_account_is_connected_through_its_page(client: Client) -> None:
    asked = {"page_id": new_name(), "page_token": "EAAshort", "account_id": new_name()}
    channel = client.call("/channels.instagram.connect", asked)

    assert (channel["source"], channel["source_channel_id"]) == ("instagram", asked["account_id"])
    assert channel["metadata"] == {
        "name": "Blips and Chitz Instagram account",
        "page_id": asked["page_id"],
        "account_id": asked["account_id"],
    }


def test_connecting_a_page_asks_meta_for_a_lasting_token_and_for_its_events(
    client: Client, graph_api: GraphApi
) -> None:
    graph_api.calls.clear()
    page = new_name()
    client.call("/channels.facebook.connect", {"page_id": page, "page_token": "EAAshort"})
    calls = [each for each in graph_api.calls if not each[1].endswith("/conversations")]
    exchange, read, subscribe = calls

    assert exchange[:2] == ("GET", "/v25.0/oauth/access_token")
    assert exchange[2] == {
        "grant_type": "fb_exchange_token",
        "client_id": platforms.APP_ID,
        "client_secret": platforms.APP_SECRET,
        "fb_exchange_token": "EAAshort",
    }
    assert read[:2] == ("GET", f"/v25.0/{page}")
    assert read[2]["access_token"] == "EAAlongLived"
    assert subscribe[:2] == ("POST", "/v25.0/me/subscribed_apps")
    assert subscribe[2]["access_token"] == "EAApage"
    assert {"messages", "message_echoes"} < set(subscribe[2]["subscribed_fields"].split(","))


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        pytest.param(
            platforms.REFUSED_TOKEN, 500, "Invalid OAuth access token.", id="Meta's own words"
        ),
        pytest.param(platforms.MUTE_TOKEN, 503, "Meta answered with 502", id="no words"),
    ],
)
def test_a_page_that_meta_refuses_is_not_connected(
    token: str, status: int, message: str, client: Client
) -> None:
    page = new_name()
    response = client.post("/channels.facebook.connect", {"page_id": page, "page_token": token})

    assert (response.status_code, response.json()) == (status, {"message": message})
    assert page not in [each["source_channel_id"] for each in listed(client)]


def test_tokens_are_never_told(client: Client) -> None:
    asked = {"page_id": new_name(), "page_token": "EAAshort"}
    connected = client.call("/channels.facebook.connect", asked)
    told = [
        client.post("/channels.list").text,
        client.post("/channels.info", {"channel_id": connected["id"]}).text,
        str(connected),
    ]

    assert not [text for text in told if "EAA" in text or "token" in text]


def test_connected_channels_are_listed_by_id(client: Client) -> None:
    connected = [client.connect_website(), client.connect_agent(new_name())]
    channels = listed(client)

    assert all(each in channels for each in connected)
    assert channels == sorted(channels, key=lambda each: str(each["id"]))


def test_channels_are_listed_by_source(client: Client) -> None:
    website, agent = client.connect_website(), client.connect_agent(new_name())
    channels = listed(client, source="google")

    assert agent in channels
    assert website not in channels
    assert {each["source"] for each in channels} == {"google"}


def test_a_channel_is_told_by_its_id(client: Client) -> None:
    website = client.connect_website()

    assert client.call("/channels.info", {"channel_id": website["id"]}) == website


def test_what_is_not_said_of_a_channel_stays(client: Client) -> None:
    asked = {"name": new_name(), "image_url": "https://example.org/i.png"}
    website = client.call("/channels.chatplugin.connect", asked)
    renamed = client.call("/channels.update", {"channel_id": website["id"], "name": "New"})

    assert renamed == website | {"metadata": asked | {"name": "New"}}
    assert client.call("/channels.info", {"channel_id": website["id"]}) == renamed


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        pytest.param("chatplugin", {"name": "A website"}, id="chatplugin"),
        pytest.param("google", {"gbm_id": "to go", "name": "An agent"}, id="google"),
        pytest.param("facebook", {"page_id": "to go", "page_token": "t"}, id="facebook"),
        pytest.param(
            "instagram",
            {"page_id": "p", "page_token": "t", "account_id": "to go"},
            id="instagram",
        ),
    ],
)
def test_a_disconnected_channel_is_gone_until_it_is_connected_again(
    source: str, asked: dict[str, str], client: Client
) -> None:
    channel = client.call(f"/channels.{source}.connect", asked)
    one = {"channel_id": channel["id"]}
    left = client.post(f"/channels.{source}.disconnect", one)

    assert (left.status_code, left.content) == (204, b"")
    assert client.post("/channels.info", one).status_code == 404
    assert channel["id"] not in [each["id"] for each in listed(client)]
    assert client.call(f"/channels.{source}.connect", asked)["connected"] is True


@pytest.mark.parametrize(
    ("source", "status"), [("google", 204), ("facebook", 204), ("chatplugin", 404)]
)
def test_only_a_website_cannot_be_disconnected_twice(
    source: str, status: int, client: Client
) -> None:
    channel = client.connect_agent(new_name())
    one = {"channel_id": channel["id"]}
    client.call("/channels.google.disconnect", one)
    again = client.post(f"/channels.{source}.disconnect", one)

    assert (again.status_code, again.content) == (status, b"")


@pytest.mark.parametrize("source", SOURCES)
def test_any_disconnect_takes_a_channel_of_any_source(source: str, client: Client) -> None:
    website = client.connect_website()
    left = client.post(f"/channels.{source}.disconnect", {"channel_id": website["id"]})

    assert left.status_code == 204
    assert website["id"] not in [each["id"] for each in listed(client)]


@pytest.mark.parametrize(
    "path",
    [
        "/channels.info",
        "/channels.update",
        "/channels.chatplugin.disconnect",
        "/channels.facebook.disconnect",
        "/channels.google.disconnect",
    ],
)
def test_a_channel_that_nobody_connected_is_not_found(path: str, client: Client) -> None:
    response = client.post(path, {"channel_id": NOBODY, "name": "x"})

    assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/channels.info", {}),
        ("/channels.update", {"name": "x"}),
        ("/channels.chatplugin.connect", {"image_url": "https://i"}),
        ("/channels.chatplugin.connect", {"name": ""}),
        ("/channels.chatplugin.connect", {"name": None}),
        ("/channels.google.connect", {"gbm_id": "a"}),
        ("/channels.google.connect", {"name": "a"}),
        ("/channels.facebook.connect", {"page_id": "a"}),
        ("/channels.facebook.connect", {"page_token": "a"}),
        ("/channels.instagram.connect", {"page_id": "a", "page_token": "a"}),
        ("/channels.google.disconnect", {}),
        ("/channels.facebook.explore", {}),
        ("/channels.whatsapp.connect", {"phone_number_id": "1", "user_token": "t"}),
        ("/channels.whatsapp.connect", {"phone_number_id": "1", "name": "a"}),
        ("/channels.whatsapp.connect", {"user_token": "t", "name": "a"}),
        ("/channels.twilio.sms.connect", {"phone_number": "+1"}),
        ("/channels.twilio.sms.connect", {"name": "a"}),
        ("/channels.twilio.sms.connect", {"phone_number": " ", "name": "a"}),
        ("/channels.twilio.whatsapp.connect", {"phone_number": "whatsapp: ", "name": "a"}),
        ("/channels.telegram.connect", {"name": "a"}),
        ("/channels.viber.disconnect", {}),
        ("/channels.viber.disconnect", {"channel_id": "no id"}),
    ],
)
def test_what_is_required_has_to_be_said(path: str, asked: dict[str, Any], client: Client) -> None:
    response = client.post(path, asked)

    assert response.status_code == 400
    assert list(response.json()) == ["message"]


@pytest.mark.parametrize(
    ("path", "asked", "source", "known_as"),
    [
        pytest.param("twilio.sms", " +1 415\t555 0100 ", "twilio.sms", "+14155550100", id="sms"),
        pytest.param(
            "twilio.whatsapp",
            "+1 415 555 0100",
            "twilio.whatsapp",
            "whatsapp:+14155550100",
            id="whatsapp",
        ),
        pytest.param(
            "twilio.whatsapp",
            "whatsapp:+1 415 555 0100",
            "twilio.whatsapp",
            "whatsapp:+14155550100",
            id="whatsapp, with its prefix",
        ),
        pytest.param("twilio.sms", 14155550100, "twilio.sms", "14155550100", id="a JSON number"),
    ],
)
def test_a_number_at_twilio_is_known_without_spaces(
    path: str, asked: str | int, source: str, known_as: str, client: Client
) -> None:
    named = {"phone_number": asked, "name": "Blips", "image_url": "https://i"}
    channel = client.call(f"/channels.{path}.connect", named)

    assert (channel["source"], channel["source_channel_id"]) == (source, known_as)
    assert channel["metadata"] == {"name": "Blips", "image_url": "https://i"}


@pytest.mark.parametrize("token", ["user_token", "system_user_token"])
def test_a_number_of_the_cloud_api_is_connected(token: str, client: Client, played: Played) -> None:
    asked = {
        "phone_number_id": played.phone_number,
        "user_token": getattr(played, token),
        "name": "Blips",
    }
    channel = client.call("/channels.whatsapp.connect", asked)

    assert (channel["source"], channel["source_channel_id"]) == ("whatsapp", played.phone_number)
    assert channel["metadata"] == {"name": "Blips"}


def test_a_number_that_meta_refuses_is_not_connected(client: Client) -> None:
    number = new_name()
    asked = {"phone_number_id": number, "user_token": "EAAnobody", "name": "Blips"}
    response = client.post("/channels.whatsapp.connect", asked)

    assert response.status_code == 500
    assert response.json() == {"message": "Invalid OAuth access token."}
    assert number not in [each["source_channel_id"] for each in listed(client)]


def test_the_viber_bot_is_called_what_viber_calls_it(client: Client, played: Played) -> None:
    channel = client.call("/channels.viber.connect")

    assert channel == {
        "id": channel["id"],
        "source": "viber",
        "source_channel_id": "pa:75346594275468546724",
        "connected": True,
        "metadata": {
            "name": "Simulated bot",
            "image_url": "https://media-direct.example.org/icon.png",
        },
    }
    assert played.viber.webhook == f"{client.url}/viber"


def test_what_the_viber_bot_is_called_can_be_said(client: Client) -> None:
    metadata = client.call("/channels.viber.connect", {"name": "Ours"})["metadata"]

    assert metadata["name"] == "Ours"


@pytest.mark.parametrize("source", ["viber", "facebook"])
def test_viber_is_told_that_its_bot_is_left_on_whatever_path(
    source: str, client: Client, played: Played
) -> None:
    channel = client.call("/channels.viber.connect")
    one = {"channel_id": channel["id"]}
    left = [client.post(f"/channels.{source}.disconnect", one).status_code for _ in range(2)]

    assert left == [204, 204]
    assert played.viber.webhook == ""
    assert client.post("/channels.info", one).status_code == 404


def test_a_bot_that_viber_does_not_let_go_stays_connected(
    client: Client, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = client.call("/channels.viber.connect")
    one = {"channel_id": channel["id"]}
    with monkeypatch.context() as refusing:
        refusing.setattr(played.viber, "answer", lambda *_: {"status": 12, "status_message": "no"})
        left = client.post("/channels.viber.disconnect", one)
        again = client.post("/channels.viber.connect")

    text = "Failed to {} the viber webhook. Error: no"
    assert (left.status_code, left.json()) == (500, {"message": text.format("disconnect")})
    assert (again.status_code, again.json()) == (500, {"message": text.format("connect")})
    assert client.call("/channels.info", one) == channel


def test_a_telegram_bot_is_connected_by_its_token(client: Client, played: Played) -> None:
    channel = client.call("/channels.telegram.connect", {"bot_token": played.bot_token})
    webhook = dict(played.telegram.webhooks["7012345678"])
    left = client.post("/channels.telegram.disconnect", {"channel_id": channel["id"]})

    assert (channel["source"], channel["source_channel_id"]) == ("telegram", "7012345678")
    assert channel["metadata"] == {"name": "Simulated bot 5678"}
    assert played.bot_token not in str(channel)
    assert webhook["url"] == f"{client.url}/telegram/7012345678"
    assert webhook["secret_token"] == recorded.bot_secret(played.bot_token)
    assert left.status_code == 204
    assert "7012345678" not in played.telegram.webhooks


def test_a_telegram_bot_that_telegram_does_not_know_is_not_connected(client: Client) -> None:
    response = client.post("/channels.telegram.connect", {"bot_token": "1:nobody"})

    assert (response.status_code, response.json()) == (500, {"message": "Unauthorized"})
    assert "1" not in [each["source_channel_id"] for each in listed(client, source="telegram")]


@pytest.mark.parametrize(
    ("path", "field"),
    [("/channels.facebook.explore", "auth_token"), ("/facebook.channels.explore", "token")],
)
def test_the_pages_of_somebody_are_listed_with_those_that_are_connected(
    path: str, field: str, client: Client
) -> None:
    page = {"page_id": "108800000000001", "page_token": "EAAshort"}
    client.call("/channels.facebook.connect", page)
    found = client.call(path, {field: "EAAshort"})

    assert found == {
        "data": [
            {
                "page_id": "108800000000001",
                "name": "Blips and Chitz",
                "image_url": "https://scontent.example.org/p1.jpg",
                "connected": True,
            },
            {"page_id": "108800000000009", "name": "Schweinbrücke", "connected": False},
        ]
    }


def test_no_token_is_written_to_a_log(client: Client, played: Played, platform: Running) -> None:
    tokens = (played.bot_token, played.viber_token, "EAAshortlived", "EAApage", "EAAlongLived")
    client.post("/channels.telegram.connect", {"bot_token": played.bot_token})
    client.post("/channels.viber.connect")
    asked = {"page_id": new_name(), "page_token": "EAAshortlived"}
    client.post("/channels.facebook.connect", asked)
    logs = [path for path in platform.home.run_directory.rglob("*") if path.suffix in LOGS]
    texts = [path.read_text(errors="replace") for path in logs]

    assert any("ServeReplica" in path.name or "worker" in path.name for path in logs)
    assert not [token for token in tokens for text in texts if token in text]
