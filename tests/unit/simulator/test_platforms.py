"""What the played platforms refuse, in the form in which the real ones do."""

import asyncio
import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from airy_ray.clock import now_millis
from airy_ray.simulator import action_endpoint, google_api, telegram_api
from airy_ray.simulator.graph_api import application
from airy_ray.simulator.hooks import Secrets
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.traffic import Cast
from airy_ray.sources.google_sending import GoogleSending

SID, TOKEN = f"AC{'0' * 32}", "t"
URL = "http://played"
HELLO = {"text": "Hello"}
HUMAN = {"representativeType": "HUMAN"}
VIBER = {"type": "text", "text": "Hello", "receiver": "ada", "sender": {"name": "Shop"}}
SMS = {"From": "+15550001111", "To": "+4915100000000", "Body": "Hello"}
TEMPLATE = f"HX{'0' * 32}"


@pytest.fixture
def played() -> Platforms:
    named = Cast("", ("1",), "an-agent", "", "4711")
    return Platforms(named, Secrets("s", "k", viber_token="v", twilio_token=TOKEN), account_sid=SID)


def post(played: Platforms, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    async def posted() -> httpx.Response:
        transport = httpx.ASGITransport(application(played.graph, played.routes))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as http:
            return await http.post(path, content=body, headers=headers)

    answer = asyncio.run(posted())
    return answer.status_code, answer.json()


def by_viber(played: Platforms, method: str = "send_message", token: str = "v", **told: Any) -> Any:
    body = json.dumps(VIBER | told).encode()
    _, answer = post(played, f"/pa/{method}", body, {"x-viber-auth-token": token})
    return answer


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({}, 0),
        ({"token": "w"}, 2),
        ({"method": "broadcast"}, 3),
        ({"type": "poem"}, 3),
        ({"text": "x" * 7_001}, 3),
        ({"type": "picture", "media": "u", "text": "x" * 769}, 3),
        ({"type": "file", "media": "u"}, 4),
        ({"receiver": ""}, 4),
        ({"sender": {}}, 4),
        ({"sender": {"name": "x" * 29}}, 3),
        ({"tracking_data": "x" * 30_000}, 3),
    ],
)
def test_viber_refuses_with_a_status_of_its_own(
    played: Platforms, told: dict[str, Any], status: int
) -> None:
    assert by_viber(played, **told)["status"] == status
    assert len(played.viber.intake.taken) == (status == 0)


@pytest.mark.parametrize(
    ("method", "told", "expected"),
    [
        ("sendMessage", {}, 200),
        ("sendMediaGroup", {"media": [{"type": "photo", "media": "https://u"}]}, 200),
        ("sendMediaGroup", {"media": [{}]}, (400, "there is no media")),
        ("sendPhoto", {"photo": "AgAC1"}, (400, "specified: Wrong string length")),
        ("sendMessage", {"chat_id": "ada"}, (400, "chat not found")),
        ("sendMessage", {"text": ""}, (400, "message text is empty")),
        ("sendMessage", {"text": "x" * 4_097}, (400, "message is too long")),
        ("sendMessage", {"text": "😀" * 2_049}, (400, "message is too long")),
        ("sendPhoto", {"photo": "u", "caption": "x" * 1_025}, (400, "caption is too long")),
        ("sendPhoto", {}, (400, "there is no photo")),
        ("sendMessage", {"reply_parameters": {}}, (400, "message to be replied not found")),
        ("sendFlowers", {}, (404, "Not Found")),
    ],
)
def test_telegram_refuses_with_a_description(
    played: Platforms, method: str, told: dict[str, Any], expected: Any
) -> None:
    body = json.dumps({"chat_id": "7", **HELLO, **told}).encode()
    status, answer = post(played, f"/bot{telegram_api.BOT_TOKEN}/{method}", body, {})

    if expected == 200:
        assert (status, answer["ok"]) == (200, True)
    else:
        assert (status, answer["error_code"]) == (expected[0], expected[0])
        assert answer["description"].endswith(expected[1])
    assert post(played, f"/bot7:x/{method}", body, {})[0] == 401


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, None),
        ({"Body": "", "ContentSid": TEMPLATE}, None),
        ({"From": "whatsapp:+15550001111", "To": "whatsapp:+4915100000000"}, None),
        ({"To": "0151"}, 21211),
        ({"To": "whatsapp:+4915100000000"}, 21910),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1_601}, 21617),
        ({"ContentSid": "hello"}, 21655),
        ({"MediaUrl": ["https://u"] * 11}, 21623),
        ({"MediaUrl": "u"}, 21620),
    ],
)
def test_twilio_refuses_with_a_code(
    played: Platforms, told: dict[str, Any], expected: int | None
) -> None:
    path = f"/2010-04-01/Accounts/{SID}/Messages.json"
    body = urlencode(SMS | told, doseq=True).encode()
    credentials = b64encode(f"{SID}:{TOKEN}".encode()).decode()
    status, answer = post(played, path, body, {"authorization": f"Basic {credentials}"})

    if expected is None:
        assert (status, answer["status"], answer["sid"][:2]) == (201, "queued", "SM")
    else:
        assert (status, answer["code"]) == (400, expected)
    assert post(played, path, body, {"authorization": "Basic eA=="})[1]["code"] == 20003
    assert post(played, path, body, {"authorization": "Basic x"})[1]["code"] == 20003


def google_token(played: Platforms) -> str:
    sending = GoogleSending(URL, URL, google_api.service_account(URL))
    call = sending.authorization("an-agent", now_millis())
    assert call is not None
    token: str = post(played, "/token", call.body, {})[1]["access_token"]
    return token


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({}, None),
        ({"messageId": ""}, "INVALID_ARGUMENT"),
        ({"text": "x" * 3_073}, "INVALID_ARGUMENT"),
        ({"representative": None}, "INVALID_ARGUMENT"),
        ({"suggestions": [{}] * 14}, "INVALID_ARGUMENT"),
    ],
)
def test_google_refuses_with_a_status(
    played: Platforms, told: dict[str, Any], status: str | None
) -> None:
    body = json.dumps({"messageId": "m1", "representative": HUMAN, **HELLO, **told}).encode()
    path = "/v1/conversations/ada/messages"
    bearer = {"authorization": f"Bearer {google_token(played)}"}
    answers = [post(played, path, body, bearer)[1] for _ in range(2)]

    assert {each.get("error", {}).get("status") for each in answers} == {status}
    assert [each.known_as for each in played.google.intake.taken] == ["m1"] * (status is None)
    refused = post(played, path, body, {"authorization": "Bearer ya29.other"})[1]
    assert refused["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("form", [b"", b"grant_type=x&assertion=y"])
def test_google_gives_no_token_for_what_the_account_has_not_signed(
    played: Platforms, form: bytes
) -> None:
    assert post(played, "/token", form, {})[0] == 400


def test_the_program_of_a_source_takes_what_is_signed_with_its_token(played: Platforms) -> None:
    played.program.token = "a token"
    message = {"source_recipient_id": "ada", "content": HELLO}
    body = json.dumps({"payload": {"message": message}}).encode()
    unsigned = post(played, action_endpoint.PATH, body, {})

    assert unsigned == (403, {"error": "Wrong signature"})
    played.program.token = ""
    assert post(played, action_endpoint.PATH, body, {})[0] == 200
    assert post(played, action_endpoint.PATH, b"[]", {})[0] == 400
