import asyncio
import json
from typing import Any

import httpx
import pytest

from airy_ray.simulator.graph_api import USER_TOKEN, GraphApi, GraphServer, application
from airy_ray.simulator.graph_past import PastConversation, PastMessage
from airy_ray.simulator.graph_people import Person

PAGES = ("108800000000001", "108800000000002", "108800000000003")
NUMBER = "106540352242922"
APP = {"client_id": "4711", "client_secret": "s3cret", "grant_type": "fb_exchange_token"}


@pytest.fixture
def api() -> GraphApi:
    return GraphApi(PAGES, app_id="4711", app_secret="s3cret", phone_numbers=[NUMBER])


def call(api: GraphApi, path: str, *, method: str = "GET", **query: str) -> tuple[int, Any]:
    async def called() -> httpx.Response:
        transport = httpx.ASGITransport(application(api))
        async with httpx.AsyncClient(transport=transport, base_url="http://graph") as http:
            return await http.request(method, path, params=query)

    answer = asyncio.run(called())
    return answer.status_code, answer.json()


def test_a_page_is_connected_in_three_calls(api: GraphApi) -> None:
    exchange = "/v25.0/oauth/access_token"
    _, exchanged = call(api, exchange, **APP, fb_exchange_token=USER_TOKEN)
    _, page = call(api, f"/v25.0/{PAGES[0]}", access_token=exchanged["access_token"])
    status, subscribed = call(
        api,
        "/v25.0/me/subscribed_apps",
        method="POST",
        access_token=page["access_token"],
        subscribed_fields="messages,message_echoes",
    )

    assert (status, subscribed) == (200, {"success": True})
    assert api.subscribed == {PAGES[0]}


def send(api: GraphApi, token: str, body: bytes, sender: str = "me") -> tuple[int, Any]:
    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(application(api))
        async with httpx.AsyncClient(transport=transport, base_url="http://graph") as http:
            bearer = {"authorization": f"Bearer {token}"}
            return await http.post(f"/v25.0/{sender}/messages", content=body, headers=bearer)

    answer = asyncio.run(sent())
    return answer.status_code, answer.json()


def taken(api: GraphApi) -> list[tuple[str, str, Any]]:
    return [(each.channel, each.to, each.content) for each in api.intake.taken]


def page_token(api: GraphApi) -> str:
    token: str = call(api, f"/v25.0/{PAGES[0]}", access_token=USER_TOKEN)[1]["access_token"]
    return token


def test_a_page_sends_messages(api: GraphApi) -> None:
    body = b'{"recipient":{"id":"ada"},"message":{"text":"Hi"}}'
    told = [send(api, page_token(api), body) for _ in range(2)]

    assert [status for status, _ in told] == [200, 200]
    assert {answer["recipient_id"] for _, answer in told} == {"ada"}
    assert len({answer["message_id"] for _, answer in told}) == 2
    assert taken(api) == [(PAGES[0], "ada", {"text": "Hi"})] * 2


@pytest.mark.parametrize(
    ("token", "body", "code"),
    [
        (None, b"{}", 190),
        ("page", b"no JSON", 100),
        ("page", b"[]", 100),
        ("page", b'{"recipient":{"id":""},"message":{"text":"Hi"}}', 100),
        ("page", b'{"recipient":{"id":"ada"},"message":{}}', 100),
        ("page", b'{"recipient":{"id":"ada"},"message":{"text":"%b"}}' % (b"x" * 2_001), 100),
    ],
)
def test_what_cannot_be_sent_is_refused(
    api: GraphApi, token: str | None, body: bytes, code: int
) -> None:
    status, told = send(api, page_token(api) if token else "EAAnobody", body)

    assert (status, told["error"]["code"]) == (400, code)
    assert taken(api) == []


def test_pages_are_listed_a_few_at_a_time(api: GraphApi) -> None:
    listed = []
    url: str | None = f"/v25.0/me/accounts?access_token={USER_TOKEN}&limit=2"
    while url is not None:
        query = dict(httpx.URL(url).params)
        _, told = call(api, httpx.URL(url).path, **query)
        listed += [page["id"] for page in told["data"]]
        url = told["paging"].get("next")

    assert listed == list(PAGES)


@pytest.mark.parametrize(
    ("method", "path", "query", "code"),
    [
        pytest.param(
            "GET",
            "/v25.0/oauth/access_token",
            APP | {"client_secret": "?", "fb_exchange_token": USER_TOKEN},
            1,
            id="wrong app secret",
        ),
        pytest.param(
            "GET", "/v25.0/oauth/access_token", APP | {"fb_exchange_token": "?"}, 190, id="token"
        ),
        pytest.param("GET", f"/v25.0/{PAGES[0]}", {}, 190, id="no token"),
        pytest.param("GET", "/v25.0/404", {"access_token": USER_TOKEN}, 100, id="no such page"),
        pytest.param(
            "POST",
            "/v25.0/me/subscribed_apps",
            {"access_token": USER_TOKEN},
            190,
            id="not the page's token",
        ),
        pytest.param("POST", "/v25.0/nothing/here/at/all", {}, 2500, id="unknown path"),
    ],
)
def test_refusals_have_metas_form(
    api: GraphApi, method: str, path: str, query: dict[str, str], code: int
) -> None:
    status, told = call(api, path, method=method, **query)

    assert status == 400
    assert told["error"].keys() == {"message", "type", "code", "fbtrace_id"}
    assert told["error"]["code"] == code


def test_the_server_answers_at_the_port_that_it_tells(api: GraphApi) -> None:
    with GraphServer(api, 0) as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/v25.0/me/accounts")

    assert answer.json()["error"]["message"] == "Invalid OAuth access token."


def test_a_taken_port_is_told(api: GraphApi) -> None:
    with GraphServer(api, 0) as server, pytest.raises(OSError, match="in use"):
        GraphServer(api, server.port)


TO_ADA = {"messaging_product": "whatsapp", "to": "49157", "text": {"body": "Hi"}}


def test_a_phone_number_sends_messages(api: GraphApi) -> None:
    body = json.dumps(TO_ADA).encode()
    (status, answer), (_, other) = (send(api, USER_TOKEN, body, NUMBER) for _ in range(2))

    assert status == 200
    assert answer["contacts"] == [{"input": "49157", "wa_id": "49157"}]
    assert answer["messages"] != other["messages"]
    assert taken(api) == [(NUMBER, "49157", TO_ADA)] * 2


def test_a_phone_number_tells_what_it_has_read(api: GraphApi) -> None:
    told = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}
    answer = send(api, USER_TOKEN, json.dumps(told).encode(), NUMBER)

    assert answer == (200, {"success": True})
    assert api.read == [(NUMBER, "wamid.1")]


@pytest.mark.parametrize(
    ("number", "token", "changed", "code"),
    [
        (NUMBER, "nobody's", {}, 190),
        ("1", USER_TOKEN, {}, 100),
        (NUMBER, USER_TOKEN, {"messaging_product": None}, 100),
        (NUMBER, USER_TOKEN, {"to": None}, 100),
        (NUMBER, USER_TOKEN, {"type": "image"}, 100),
        (NUMBER, USER_TOKEN, {"text": {"body": "x" * 4_097}}, 100),
    ],
)
def test_what_a_phone_number_may_not_send_is_refused(
    number: str, token: str, changed: dict[str, Any], code: int, api: GraphApi
) -> None:
    status, answer = send(api, token, json.dumps(TO_ADA | changed).encode(), number)

    assert (status, answer["error"]["code"]) == (400, code)
    assert taken(api) == []


def person(api: GraphApi, identifier: str, **query: str) -> tuple[int, Any]:
    """Ask for somebody as a page."""
    return call(api, f"/v25.0/{identifier}", access_token=page_token(api), **query)


def test_a_page_reads_who_writes_to_it(api: GraphApi) -> None:
    fields = "first_name,last_name,profile_pic"
    status, told = person(api, "4383398935030571", fields=fields)

    assert status == 200
    assert told.keys() == {*fields.split(","), "id"}
    assert told == person(api, "4383398935030571", fields=fields)[1]
    api.people.named["4383398935030571"] = Person("Grace", "")
    picture = told["profile_pic"]
    assert person(api, "4383398935030571", fields=fields)[1] == {
        "first_name": "Grace",
        "profile_pic": picture,
        "id": "4383398935030571",
    }


def test_who_keeps_the_name_to_themselves_takes_part_by_it(api: GraphApi) -> None:
    api.people.named["7"] = Person("Grace", "Hopper", is_private=True)
    status, refused = person(api, "7", fields="first_name")
    assert (status, refused["error"]["error_subcode"]) == (400, 2018218)

    asked = {"user_id": "7", "platform": "messenger", "fields": "participants"}
    _, told = person(api, "me/conversations", **asked)
    [conversation] = told["data"]
    names = {each["id"]: each["name"] for each in conversation["participants"]["data"]}
    assert names == {PAGES[0]: "Simulated page 0001", "7": "Grace Hopper"}


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        pytest.param("nobody", {}, 100, id="nobody"),
        pytest.param("7", {"fields": "first_name,email"}, 100, id="field that people have not"),
        pytest.param("me/conversations", {"platform": "icq", "user_id": "7"}, 100, id="platform"),
    ],
)
def test_what_a_page_may_not_ask_is_refused(
    api: GraphApi, path: str, query: dict[str, str], code: int
) -> None:
    status, told = person(api, path, **query)
    assert (status, told["error"]["code"]) == (400, code)


def test_only_a_page_asks_for_people(api: GraphApi) -> None:
    assert call(api, "/v25.0/me/conversations", user_id="7")[1]["error"]["code"] == 190
    assert call(api, "/v25.0/7", fields="first_name")[1]["error"]["code"] == 190


def test_a_page_without_a_conversation_is_told_of_nobody(api: GraphApi) -> None:
    assert person(api, "me/conversations", user_id="nobody")[1] == {"data": []}


def test_the_past_of_a_page_is_told_page_by_page_to_who_has_its_token(api: GraphApi) -> None:
    past = [PastConversation(each, (PastMessage(f"m-{each}", 1),)) for each in ("ada", "bob")]
    api.past.kept[PAGES[0]] = past
    token, path = page_token(api), f"/v25.0/{PAGES[0]}/conversations"
    _, first = call(api, path, access_token=token, limit="1")
    after = first["paging"]["cursors"]["after"]
    _, second = call(api, path, access_token=token, limit="1", after=after)
    refused = call(api, f"/v25.0/{PAGES[1]}/conversations", access_token=token)

    assert [each["id"] for each in first["data"] + second["data"]] == ["t_ada", "t_bob"]
    assert token in first["paging"]["next"]  # as it is in Meta's
    assert "next" not in second["paging"]
    assert refused[1]["error"]["code"] == 190
