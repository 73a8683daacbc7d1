"""Files given to the played platforms: in forms, of known types and sizes, and named later."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from airy_ray.simulator import telegram_api
from airy_ray.simulator.graph_api import USER_TOKEN, GraphApi, application
from airy_ray.simulator.telegram_api import BOT_TOKEN, TelegramApi

PAGE, OTHER_PAGE = "108800000000001", "108800000000002"
NUMBER, OTHER_NUMBER = "106540352242922", "106540352242944"
JPEG = ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(1_000), "image/jpeg")
FIELDS = {"messaging_product": "whatsapp", "type": "image/jpeg"}
IMAGE = {"attachment": {"type": "image", "payload": {"is_reusable": True}}}

Part = tuple[str, bytes, str]


@pytest.fixture
def api() -> GraphApi:
    numbers = [NUMBER, OTHER_NUMBER]
    return GraphApi([PAGE, OTHER_PAGE], app_id="4711", app_secret="s", phone_numbers=numbers)


@pytest.fixture
def telegram() -> TelegramApi:
    return TelegramApi(BOT_TOKEN)


def post(
    app: Any, path: str, token: str = "", *, content_type: str | None = None, **asked: Any
) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}"}
    if content_type is not None:
        headers["content-type"] = content_type

    async def posted() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://played") as http:
            return await http.post(path, headers=headers, **asked)

    answer = asyncio.run(posted())
    return answer.status_code, answer.json()


def page_token(api: GraphApi, page: str) -> str:
    token: str = api.page(page, {"access_token": USER_TOKEN})["access_token"]
    return token


def of_number(
    api: GraphApi, file: Part | None = JPEG, fields: Mapping[str, str] = FIELDS
) -> tuple[int, Any]:
    """Give a file of a phone number."""
    files = {"other": JPEG} if file is None else {"file": file}
    return post(
        application(api), f"/v25.0/{NUMBER}/media", USER_TOKEN, data=dict(fields), files=files
    )


def of_page(
    api: GraphApi, file: Part | None = JPEG, message: Any = IMAGE, **fields: str
) -> tuple[int, Any]:
    """Give a file of a page."""
    files = {"other": JPEG} if file is None else {"filedata": file}
    told = {"message": json.dumps(message), **fields}
    token = page_token(api, PAGE)
    return post(application(api), "/v25.0/me/message_attachments", token, data=told, files=files)


def code_of(answer: tuple[int, Any]) -> tuple[int, int | None]:
    """Return the code and the subcode of a refusal."""
    status, told = answer
    assert status == 400
    return told["error"]["code"], told["error"].get("error_subcode")


def sized(size: int, kind: str = "image/jpeg") -> Part:
    return "a", bytes(size), kind


def image_message(**image: str) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": "49157", "type": "image", "image": image}


def test_a_file_of_a_number_is_named_by_its_messages(api: GraphApi) -> None:
    status, told = of_number(api)
    sent = image_message(id=told["id"], caption="Hi")
    answer = post(application(api), f"/v25.0/{NUMBER}/messages", USER_TOKEN, json=sent)

    assert (status, answer[0]) == (200, 200)
    assert api.files.given[told["id"]].file.content == JPEG[1]
    assert [each.content for each in api.intake.taken] == [sent]


@pytest.mark.parametrize(
    ("file", "fields", "told"),
    [
        (None, FIELDS, "The parameter file is required."),
        (("", JPEG[1], JPEG[2]), FIELDS, "The parameter file is required."),
        (sized(0), FIELDS, "The parameter file is required."),
        (JPEG, {}, "The parameter messaging_product is required."),
        (JPEG, FIELDS | {"type": "image/png"}, "must be a file with one of the following types"),
        (sized(1, "image/gif"), {**FIELDS, "type": "image/gif"}, "of type 'image/gif'"),
        (sized((5 << 20) + 1), FIELDS, "File size too large."),
    ],
)
def test_what_whatsapp_takes_no_file_of_is_refused(
    api: GraphApi, file: Part | None, fields: dict[str, str], told: str
) -> None:
    answer = of_number(api, file, fields)

    assert code_of(answer) == (100, None)
    assert told in answer[1]["error"]["message"]
    assert api.files.given == {}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"none"),
        ("multipart/form-data", b"--x--"),
    ],
)
def test_a_body_that_is_no_form_is_no_file(api: GraphApi, kind: str, body: bytes) -> None:
    answer = post(
        application(api), f"/v25.0/{NUMBER}/media", USER_TOKEN, content=body, content_type=kind
    )

    assert code_of(answer) == (100, None)
    assert api.files.given == {}


@pytest.mark.parametrize("token", ["nobody's", ""])
def test_who_has_no_token_gives_no_file(api: GraphApi, token: str) -> None:
    for path in (f"/v25.0/{NUMBER}/media", "/v25.0/me/message_attachments"):
        answer = post(application(api), path, token, data=FIELDS, files={"file": JPEG})
        assert code_of(answer) == (190, None)


@pytest.mark.parametrize(
    ("number", "image", "code"),
    [
        (NUMBER, {"id": "4711"}, 131009),
        (OTHER_NUMBER, {}, 131009),
        (NUMBER, {"link": "https://example.org/a.jpg"}, 100),
    ],
)
def test_a_message_names_a_file_of_its_number_or_a_link(
    api: GraphApi, number: str, image: dict[str, str], code: int
) -> None:
    named = {"id": of_number(api)[1]["id"]} | image
    path = f"/v25.0/{number}/messages"
    answer = post(application(api), path, USER_TOKEN, json=image_message(**named))

    assert code_of(answer) == (code, None)
    assert api.intake.taken == []


def test_a_picture_is_shown_as_nothing_else(api: GraphApi) -> None:
    told = image_message(id=of_number(api)[1]["id"])
    told |= {"type": "document", "document": told.pop("image")}

    path = f"/v25.0/{NUMBER}/messages"
    assert code_of(post(application(api), path, USER_TOKEN, json=told)) == (131053, None)


def page_message(api: GraphApi, page: str, attachment: Any, to: str = "ada") -> tuple[int, Any]:
    told = {"recipient": {"id": to}, "message": {"attachment": attachment}}
    return post(application(api), "/v25.0/me/messages", page_token(api, page), json=told)


def test_an_attachment_of_a_page_is_named_by_its_messages(api: GraphApi) -> None:
    api.on_instagram.add("grace")
    ids = [of_page(api)[1], of_page(api, platform="instagram")[1]]
    shown = [{"type": "image", "payload": each} for each in ids]
    right = [page_message(api, PAGE, *each) for each in zip(shown, ("ada", "grace"), strict=True)]
    wrong = [
        page_message(api, PAGE, shown[0], "grace"),
        page_message(api, PAGE, shown[1], "ada"),
        page_message(api, OTHER_PAGE, shown[0]),
        page_message(api, PAGE, shown[0] | {"type": "video"}),
        page_message(api, PAGE, {"type": "image", "payload": {"attachment_id": "4711"}}),
    ]

    assert [status for status, _ in right] == [200, 200]
    assert [code_of(each) for each in wrong] == [(100, 2018074)] * 5
    assert [code_of(page_message(api, PAGE, {"type": "image", "payload": {}}))] == [(100, None)]
    assert len(api.intake.taken) == 2


@pytest.mark.parametrize(
    ("file", "message", "fields", "codes"),
    [
        (None, IMAGE, {}, (100, None)),
        (JPEG, {}, {}, (100, None)),
        (JPEG, {"attachment": {"type": "poem"}}, {}, (100, None)),
        (("a.pdf", b"%PDF", "application/pdf"), IMAGE, {}, (100, 2018047)),
        (sized((25 << 20) + 1), IMAGE, {}, (100, 2018109)),
        (sized((8 << 20) + 1), IMAGE, {"platform": "instagram"}, (100, 2018109)),
    ],
)
def test_what_a_page_may_not_give_is_refused(
    api: GraphApi, file: Part | None, message: Any, fields: dict[str, str], codes: tuple[int, int]
) -> None:
    assert code_of(of_page(api, file, message, **fields)) == codes
    assert api.files.given == {}


def by_bot(
    api: TelegramApi, method: str, files: Mapping[str, Part], **fields: str
) -> tuple[int, Any]:
    app = Starlette(routes=telegram_api.routes(api))
    told = {"chat_id": "7", **fields}
    return post(app, f"/bot{BOT_TOKEN}/{method}", data=told, files=dict(files))


def test_telegram_takes_a_file_with_its_message_and_knows_it_from_then_on(
    telegram: TelegramApi,
) -> None:
    assert by_bot(telegram, "sendPhoto", {"photo": JPEG}, caption="Hi")[0] == 200
    [taken] = telegram.intake.taken
    known_as = taken.content["photo"]
    again = telegram.answer(BOT_TOKEN, "sendPhoto", {"chat_id": "7", "photo": known_as})

    assert (taken.to, taken.content["caption"]) == ("7", "Hi")
    assert telegram.files[known_as].content == JPEG[1]
    assert again[0] == 200


def test_telegram_takes_files_in_a_group(telegram: TelegramApi) -> None:
    media = [{"type": "photo", "media": f"attach://{name}"} for name in "ab"]
    status, _ = by_bot(telegram, "sendMediaGroup", {"a": JPEG, "b": JPEG}, media=json.dumps(media))

    assert status == 200
    assert [each["media"] for each in telegram.intake.taken[0].content["media"]] == [
        *telegram.files
    ]


@pytest.mark.parametrize(
    ("method", "files", "fields", "status", "told"),
    [
        ("sendPhoto", {"y": JPEG}, {"photo": "attach://x"}, 400, "file must be non-empty"),
        ("sendPhoto", {"photo": sized(0)}, {}, 400, "file must be non-empty"),
        ("sendPhoto", {"photo": sized((10 << 20) + 1)}, {}, 400, "is too big for a photo"),
        ("sendDocument", {"photo": JPEG}, {}, 400, "there is no document"),
        ("sendDocument", {"document": sized((50 << 20) + 1)}, {}, 413, "Entity Too Large"),
        ("sendPhoto", {"y": JPEG}, {"photo": "AgAC1"}, 400, "wrong remote file identifier"),
        ("sendMediaGroup", {"a": JPEG}, {"media": "no JSON"}, 400, "chat not found"),
    ],
)
def test_what_telegram_takes_no_file_of_is_refused(
    telegram: TelegramApi,
    method: str,
    files: dict[str, Part],
    fields: dict[str, str],
    status: int,
    told: str,
) -> None:
    answer = by_bot(telegram, method, files, **fields)

    assert (answer[0], answer[1]["ok"]) == (status, False)
    assert told in answer[1]["description"]
    assert telegram.intake.taken == []
