"""`client.config` and `components.*`: what runs here (contract: platform API §7.13 to §7.15)."""

import json

import pytest

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running

TEXTS = (
    "name",
    "displayName",
    "description",
    "category",
    "price",
    "repository",
    "configurationValues",
    "installationStatus",
)


def test_what_runs_is_what_is_listed(client: Client) -> None:
    services = client.call("/client.config")["services"]
    listed = client.call("/components.list")["components"]

    assert {each["component"] for each in services.values()} == set(listed)
    assert {"media-resolver", "sources-chatplugin", "sources-facebook", "sources-whatsapp"} <= set(
        listed
    )


def test_files_can_be_sent(client: Client) -> None:
    services = client.call("/client.config")["services"]

    assert services["media-resolver"] == {
        "enabled": True,
        "healthy": True,
        "component": "media-resolver",
    }


def test_a_source_that_is_not_configured_is_off(guarded: Running) -> None:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        services = client.call("/client.config")["services"]

    assert services["sources-google-connector"]["enabled"] is True
    assert services["sources-facebook-connector"]["enabled"] is False


def test_components_are_described_by_name(client: Client) -> None:
    listed = client.call("/components.list")["components"]

    for name, told in listed.items():
        assert told["name"] == name
        assert all(isinstance(told[field], str) for field in TEXTS)
        assert told["installationStatus"] == "installed"
        assert told["isChannel"] == ("true" if name.startswith("sources-") else None)
        assert isinstance(json.loads(told["configurationValues"]), dict)


def test_settings_are_told_without_their_secrets(client: Client) -> None:
    response = client.post("/components.get")
    told = response.json()["components"]

    assert told["sources-facebook"] == {
        "appId": platforms.APP_ID,
        "appSecret": platforms.APP_SECRET[:4] + "...",
        "webhookSecret": platforms.VERIFY_TOKEN[:4] + "...",
    }
    assert told["sources-google"] == {
        "partnerKey": platforms.PARTNER_KEY[:4] + "...",
        "saFile": "<service account keys>",
    }
    assert platforms.APP_SECRET not in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/components.update",
        "/components.delete",
        "/components.install",
        "/components.uninstall",
        "/cluster.update",
        "/streams.list",
        "/streams.create",
        "/topics",
        "/topics/messages",
        "/schemas.list",
        "/kafka/topics/messages",
        "/llm.info",
        "/llm-consumers.list",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_part_of_the_platform_says_so(method: str, path: str, client: Client) -> None:
    response = client.http.request(method, path)

    assert response.status_code == 404
    assert response.json()["message"].startswith("not part of this platform: ")


def test_who_may_not_call_is_told_nothing(guarded: Running) -> None:
    with Client(guarded.url) as client:
        responses = [client.post(path) for path in ("/streams.list", "/components.get")]

    assert [(each.status_code, each.content) for each in responses] == [(403, b"")] * 2
