"""Viber and Telegram as they are played: what they tell of people, and what they refuse."""

import pytest

from airy_ray.simulator.telegram_api import BOT_TOKEN, TelegramApi
from airy_ray.simulator.viber_api import ViberApi

TOKEN = "a token"


def test_viber_tells_of_a_subscriber_twice() -> None:
    api = ViberApi(TOKEN)
    api.people["u=="] = {"name": "Ada"}
    told = [api.answer("get_user_details", TOKEN, {"id": "u=="}) for _ in range(3)]

    assert told[0]["user"] == told[1]["user"] == {"id": "u==", "name": "Ada"}
    assert [each["status"] for each in told] == [0, 0, 12]


@pytest.mark.parametrize(
    ("token", "asked", "status"),
    [
        pytest.param("another", {"id": "u=="}, 2, id="token"),
        pytest.param(TOKEN, {}, 3, id="no id"),
        pytest.param(TOKEN, None, 3, id="no object"),
        pytest.param(TOKEN, {"id": "nobody"}, 5, id="nobody"),
    ],
)
def test_viber_refuses_as_viber_does(token: str, asked: object, status: int) -> None:
    assert ViberApi(TOKEN).answer("get_user_details", token, asked)["status"] == status


def test_telegram_tells_of_a_chat_that_it_knows() -> None:
    api = TelegramApi(BOT_TOKEN)
    api.chats["7"] = {"type": "private", "first_name": "Ada"}

    status, told = api.answer(BOT_TOKEN, "getChat", {"chat_id": "7"})
    assert (status, told["result"]) == (200, {"id": 7, "type": "private", "first_name": "Ada"})
    status, told = api.answer(BOT_TOKEN, "getChat", {"chat_id": "8"})
    assert (status, told["description"]) == (400, "Bad Request: chat not found")


def test_telegram_tells_where_the_picture_of_somebody_is() -> None:
    api = TelegramApi(BOT_TOKEN)
    api.pictures["7"] = b"a picture"

    _, told = api.answer(BOT_TOKEN, "getUserProfilePhotos", {"user_id": 7, "limit": 1})
    [sizes] = told["result"]["photos"]
    _, file = api.answer(BOT_TOKEN, "getFile", {"file_id": sizes[-1]["file_id"]})
    path = file["result"]["file_path"]
    assert api.download(BOT_TOKEN, path) == b"a picture"
    assert api.download("1:nobody", path) is None
    _, nobody = api.answer(BOT_TOKEN, "getUserProfilePhotos", {"user_id": 8, "limit": 1})
    assert nobody["result"] == {"total_count": 0, "photos": []}
    assert api.answer(BOT_TOKEN, "getFile", {"file_id": "640-8"})[0] == 400
