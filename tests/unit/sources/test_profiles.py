"""How sources are asked for contacts, and what their recorded answers tell of them."""

import json
from typing import Any

import pytest

from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.sources.facebook_sending import FacebookSending, InstagramSending
from airy_ray.sources.files import Link
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.profiles import Profile, Profiles
from airy_ray.sources.sending import Call, Later, Refused, Reply
from airy_ray.sources.telegram_sending import TelegramSending
from airy_ray.sources.viber_sending import ViberSending
from airy_ray.sources.whatsapp_sending import WhatsappSending
from tests import manifests

PERSON = "4383398935030571"
MESSENGER = FacebookSending("https://graph.facebook.com/", "v25.0", False, 300.0)
INSTAGRAM = InstagramSending("https://graph.facebook.com/", "v25.0", False, 100.0)
VIBER = ViberSending("https://chatapi.viber.com", "a token")
TELEGRAM = TelegramSending("https://api.telegram.org")
BUSY = Reply(503, b"", {"retry-after": "7"})


def answer(source: str, name: str, status: int = 200) -> Reply:
    return Reply(status, manifests.body(source, name))


def told_json(told: Any) -> Reply:
    return Reply(200, json.dumps(told).encode())


def values(told: Profile | Refused | Later) -> dict[str, Any]:
    assert isinstance(told, Profile)
    return {key: json_text.decode(value) for key, value in told.values.items()}


def test_a_page_asks_for_the_person_and_then_for_who_takes_part() -> None:
    bearer = {"authorization": "Bearer EAAx"}
    person, participants = MESSENGER.profile_calls(PERSON, "EAAx")

    assert person == Call(
        "GET",
        f"https://graph.facebook.com/v25.0/{PERSON}?fields=first_name,last_name,profile_pic",
        bearer,
        b"",
        10.0,
    )
    asked = f"platform=messenger&user_id={PERSON}&fields=participants"
    assert participants.url == f"https://graph.facebook.com/v25.0/me/conversations?{asked}"
    assert participants.headers == bearer


def test_an_id_cannot_lead_the_call_elsewhere() -> None:
    person, participants = MESSENGER.profile_calls("../me?x=1&y", "EAAx")

    assert "/v25.0/..%2Fme%3Fx%3D1%26y?fields=" in person.url
    assert "user_id=..%2Fme%3Fx%3D1%26y&" in participants.url


@pytest.mark.parametrize("name", ["api_profile.json", "api_participants.json"])
def test_messengers_answers_tell_what_was_recorded(name: str) -> None:
    [case] = [each for each in manifests.manifest("facebook")["api"] if each["file"] == name]
    expected = dict(case["expected_metadata"])
    assert expected.pop("contact.fetch_state") == "ok"

    assert values(MESSENGER.profile(PERSON, answer("facebook", name))) == expected


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"id": PERSON}, id="nothing"),
        pytest.param({"first_name": " ", "last_name": None, "profile_pic": 1}, id="no texts"),
        pytest.param({"data": []}, id="no conversation"),
        pytest.param({"data": [{"participants": {"data": [{"id": "1", "name": "A"}]}}]}, id="else"),
        pytest.param({"data": [None, {"participants": None}]}, id="no participants"),
        pytest.param([], id="no object"),
    ],
)
def test_who_is_not_told_of_is_not_known(told: Any) -> None:
    assert isinstance(MESSENGER.profile(PERSON, told_json(told)), Refused)


def test_a_name_may_be_half_and_a_picture_alone() -> None:
    half = MESSENGER.profile(PERSON, told_json({"last_name": " Hopper "}))
    picture = MESSENGER.profile(PERSON, told_json({"profile_pic": "https://p"}))

    assert values(half) == {"contact.display_name": "Hopper"}
    assert values(picture) == {"contact.avatar_url": "https://p"}


def test_an_account_asks_for_the_person_only() -> None:
    [person] = INSTAGRAM.profile_calls("590", "EAAx")
    assert person.url == "https://graph.facebook.com/v25.0/590?fields=name,profile_pic,username"


@pytest.mark.parametrize("name", ["api_profile.json", "api_profile_no_name.json"])
def test_instagrams_answers_tell_what_was_recorded(name: str) -> None:
    [case] = [each for each in manifests.manifest("instagram")["api"] if each["file"] == name]
    expected = dict(case["expected_metadata"])
    assert expected.pop("contact.fetch_state") == "ok"

    assert values(INSTAGRAM.profile("590", answer("instagram", name))) == expected


def test_viber_is_asked_for_the_details_of_a_user() -> None:
    [call] = VIBER.profile_calls("u==", "")
    user = {"id": "u==", "name": "Ada", "avatar": "https://a", "country": "UK", "language": "en"}

    assert (call.method, call.url) == ("POST", "https://chatapi.viber.com/pa/get_user_details")
    assert json_text.decode(call.body) == {"id": "u=="}
    assert call.headers["x-viber-auth-token"] == "a token"
    assert values(VIBER.profile("u==", told_json({"status": 0, "user": user}))) == {
        "contact.display_name": "Ada",
        "contact.avatar_url": "https://a",
        "contact.country": "UK",
        "contact.lang": "en",
    }
    assert isinstance(VIBER.profile("u==", told_json({"status": 0, "user": None})), Refused)


def test_without_a_token_viber_is_not_asked() -> None:
    with pytest.raises(DeliveryError, match="auth_token is not set"):
        ViberSending("https://chatapi.viber.com", None).profile_calls("u==", "")


@pytest.mark.parametrize(
    ("chat", "name"),
    [
        (
            {"id": 7, "type": "private", "first_name": "Ada", "last_name": "Lovelace"},
            "Ada Lovelace",
        ),
        ({"id": -7, "type": "supergroup", "title": "Engines"}, "Engines"),
    ],
)
def test_telegram_is_asked_what_a_chat_is_called(chat: dict[str, Any], name: str) -> None:
    [call] = TELEGRAM.profile_calls("7", "7012:AAH")

    assert call.url == "https://api.telegram.org/bot7012:AAH/getChat"
    assert json_text.decode(call.body) == {"chat_id": "7"}
    told = TELEGRAM.profile("7", told_json({"ok": True, "result": chat}))
    assert values(told) == {"contact.display_name": name}


@pytest.mark.parametrize(
    ("source", "refusal"),
    [
        pytest.param(MESSENGER, answer("facebook", "api_profile_error.json", 400), id="messenger"),
        pytest.param(MESSENGER, answer("facebook", "out_error_token.json", 400), id="token"),
        pytest.param(INSTAGRAM, answer("instagram", "api_profile_error.json", 400), id="instagram"),
        pytest.param(VIBER, told_json({"status": 5, "status_message": "receiverNot"}), id="viber"),
        pytest.param(
            TELEGRAM, Reply(400, b'{"ok":false,"error_code":400,"description":"x"}'), id="telegram"
        ),
    ],
)
def test_what_will_not_pass_is_refused(source: Profiles, refusal: Reply) -> None:
    assert isinstance(source.profile("7", refusal), Refused)


@pytest.mark.parametrize("source", [MESSENGER, INSTAGRAM, VIBER, TELEGRAM])
def test_who_is_busy_is_asked_later(source: Profiles) -> None:
    told = source.profile("7", BUSY)
    assert isinstance(told, Later)
    assert told.after_s == 7.0


def test_a_rate_limit_of_meta_passes() -> None:
    assert isinstance(MESSENGER.profile("7", answer("facebook", "out_error_rate.json", 400)), Later)


def test_others_tell_names_unasked_or_never() -> None:
    others = [WhatsappSending("https://g", "v25.0"), GoogleSending("https://b", "https://r", None)]
    assert not any(isinstance(each, Profiles) for each in others)


def test_telegram_is_asked_for_the_newest_picture_of_a_person() -> None:
    call = TELEGRAM.picture_call("7", "7012:AAH")
    assert call is not None
    assert call.url == "https://api.telegram.org/bot7012:AAH/getUserProfilePhotos"
    assert json_text.decode(call.body) == {"user_id": 7, "limit": 1}
    assert TELEGRAM.picture_call("-7", "7012:AAH") is None  # a group

    sizes = [{"file_id": "small"}, {"file_id": "large"}]
    told = told_json({"ok": True, "result": {"total_count": 3, "photos": [sizes]}})
    assert TELEGRAM.picture(told) == Link("large", None)


@pytest.mark.parametrize(
    "result", [None, {}, {"photos": []}, {"photos": [[]]}, {"photos": [[{}]]}, {"photos": [7]}]
)
def test_who_has_no_picture_on_telegram_has_none(result: Any) -> None:
    told = TELEGRAM.picture(told_json({"ok": True, "result": result}))
    assert told == Refused("there is no picture")


def test_telegram_says_whether_a_picture_may_be_had_later() -> None:
    assert isinstance(TELEGRAM.picture(BUSY), Later)
    refusal = Reply(400, b'{"ok":false,"error_code":400,"description":"x"}')
    assert isinstance(TELEGRAM.picture(refusal), Refused)
