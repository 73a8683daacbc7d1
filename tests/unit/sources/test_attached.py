"""Files of ours that messages link to: where they are looked for, and what their platforms get."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model.ids import MessageId
from airy_ray.model.media_links import file_at
from airy_ray.sources.attached import FILES_MAX, OurFile
from airy_ray.sources.custom_sending import CustomSending
from airy_ray.sources.facebook_sending import FacebookSending, InstagramSending
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.sending import Call, Form, Later, Outbound, Refused, Reply, Sending, Uploading
from airy_ray.sources.telegram_sending import TelegramSending
from airy_ray.sources.twilio_sending import TwilioSending
from airy_ray.sources.viber_sending import ViberSending
from airy_ray.sources.whatsapp_sending import WhatsappSending

NAME = "5d41402a-bc4b-8a76-b971-9d911017c592.jpg"
URL = f"http://127.0.0.1:8000/media/{NAME}"
OTHER = "https://example.org/a.jpg"
FILE = OurFile(NAME, 1_000, "image/jpeg")
TOKEN = '{"name":"A bot"}'

FACEBOOK = FacebookSending("https://graph.facebook.com/", "v25.0", False, 300.0)
INSTAGRAM = InstagramSending("https://graph.facebook.com/", "v25.0", False, 100.0)
WHATSAPP = WhatsappSending("https://graph.facebook.com/", "v25.0")
TELEGRAM = TelegramSending("https://api.telegram.org/")
SMS = TwilioSending("https://api.twilio.com", "AC1", "secret", "")
TWILIO_WHATSAPP = TwilioSending("https://api.twilio.com", "AC1", "secret", "", is_whatsapp=True)
VIBER = ViberSending("https://chatapi.viber.com", "secret")
GOOGLE = GoogleSending("https://gbm.example.org", "https://rcs.example.org", None)
CUSTOM = CustomSending(b"a key of this installation, long enough")
SENDINGS = (FACEBOOK, INSTAGRAM, WHATSAPP, TELEGRAM, SMS, TWILIO_WHATSAPP, VIBER, GOOGLE, CUSTOM)


def outbound(content: Any, file: OurFile | None = None) -> Outbound:
    """Return a message, and at `URL` the file that it links to."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Outbound(
        message_id=MessageId(bytes(16)),
        content=text,
        recipient="4915",
        channel="106",
        token=TOKEN,
        at=Millis(2),
        heard_at=Millis(1),
        files={} if file is None else {URL: file},
    )


def attachment(url: str, kind: str = "image") -> dict[str, Any]:
    return {"attachment": {"type": kind, "payload": {"url": url, "is_reusable": True}}}


def whatsapp(kind: str, url: str = URL) -> dict[str, Any]:
    return {"type": kind, kind: {"link": url}}


def carousel(url: str) -> dict[str, Any]:
    header = {"type": "header", "parameters": [whatsapp("image", url)]}
    cards = [{"card_index": 0, "components": [header]}]
    return {"type": "template", "template": {"components": [{"type": "carousel", "cards": cards}]}}


def card(url: str) -> dict[str, Any]:
    return {"cardContent": {"media": {"contentInfo": {"thumbnailUrl": url}}}}


PLACES: list[tuple[Sending, dict[str, Any]]] = [
    (FACEBOOK, attachment(URL)),
    (FACEBOOK, {"text": "?", "quick_replies": [{"title": "a"}, {"image_url": URL}]}),
    (INSTAGRAM, {"attachment": {"payload": {"elements": [{"image_url": URL}]}}}),
    (WHATSAPP, whatsapp("document")),
    (WHATSAPP, {"interactive": {"header": whatsapp("video")}}),
    (WHATSAPP, {"template": {"components": [{"parameters": [whatsapp("image")]}]}}),
    (WHATSAPP, carousel(URL)),
    (TELEGRAM, {"voice": URL}),
    (TELEGRAM, {"video": OTHER, "thumbnail": URL}),
    (TELEGRAM, {"media": [{"type": "photo", "media": OTHER}, {"type": "photo", "media": URL}]}),
    (SMS, {"MediaUrl": URL}),
    (TWILIO_WHATSAPP, {"MediaUrl": [OTHER, URL]}),
    (VIBER, {"type": "picture", "media": URL, "thumbnail": URL}),
    (GOOGLE, {"image": {"contentInfo": {"fileUrl": URL, "altText": "A picture"}}}),
    (GOOGLE, {"richCard": {"standaloneCard": card(URL)}}),
    (GOOGLE, {"contentInfo": {"fileUrl": URL}}),
]


@pytest.mark.parametrize(("sending", "content"), PLACES)
def test_links_to_files_of_ours_are_found(sending: Sending, content: dict[str, Any]) -> None:
    escaped = json.dumps(content).replace("/", "\\/").encode()

    assert sending.attached(json.dumps(content).encode()) == [URL]
    assert sending.attached(escaped) == [URL]


@pytest.mark.parametrize("sending", SENDINGS)
@pytest.mark.parametrize(
    "content",
    [
        {"text": URL, "type": "text", "Body": URL},
        *(content for _, content in PLACES if URL not in json.dumps(content)),
        attachment(OTHER),
        {"media": f"ftp://127.0.0.1/{NAME}", "MediaUrl": NAME, "photo": f"{URL}/x"},
        {"media": {"media": 7}, "image": URL, "attachment": [[URL]]},
    ],
)
def test_words_and_what_others_keep_are_no_files_of_ours(sending: Sending, content: Any) -> None:
    assert sending.attached(json.dumps(content).encode()) == []


@pytest.mark.parametrize("sending", SENDINGS)
@pytest.mark.parametrize("content", [b"", b"[", b'"x"', URL.encode(), b'{"media":"\\ud83d"}'])
def test_whatever_the_content_is_looking_into_it_breaks_nothing(
    sending: Sending, content: bytes
) -> None:
    assert sending.attached(content) == []


def test_no_message_has_more_files_than_any_platform_takes() -> None:
    urls = [f"https://airy.example.org/{i:08x}{NAME[8:]}" for i in range(FILES_MAX + 1)]

    assert TWILIO_WHATSAPP.attached(json.dumps({"MediaUrl": urls[1:]}).encode()) == urls[1:]
    with pytest.raises(DeliveryError, match="more than 20 files"):
        TWILIO_WHATSAPP.attached(json.dumps({"MediaUrl": urls}).encode())


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, NAME),
        (f"https://bucket.s3.amazonaws.com/a/path/{NAME}", NAME),
        (f"{URL}?x=1#y", NAME),
        (URL.removesuffix(".jpg"), NAME.removesuffix(".jpg")),
        (f"{URL}/", None),
        (f"{URL}.jpg", None),
        (f"x{URL}", None),
        (f"http://[{NAME}", None),
        ("", None),
    ],
)
def test_a_file_of_ours_is_told_by_its_name_wherever_it_is_served(
    url: str, name: str | None
) -> None:
    assert file_at(url) == name


def form(call: Call) -> Form:
    assert (call.method, call.body) == ("POST", b"")
    assert call.form is not None
    return call.form


def test_whatsapp_is_given_a_file_by_the_number_that_sends() -> None:
    [(url, call)] = WHATSAPP.uploads(outbound(whatsapp("image"), FILE)).items()

    assert (url, call.url) == (URL, "https://graph.facebook.com/v25.0/106/media")
    assert call.headers == {"authorization": f"Bearer {TOKEN}"}
    fields = {"messaging_product": "whatsapp", "type": "image/jpeg"}
    assert form(call) == Form(fields, {"file": FILE})


@pytest.mark.parametrize(
    ("sending", "platform"), [(FACEBOOK, {}), (INSTAGRAM, {"platform": "instagram"})]
)
def test_a_page_gives_an_attachment_of_its_kind(
    sending: FacebookSending, platform: dict[str, str]
) -> None:
    [(url, call)] = sending.uploads(outbound(attachment(URL, "file"), FILE)).items()
    fields = form(call).fields

    assert (url, call.url) == (URL, "https://graph.facebook.com/v25.0/me/message_attachments")
    assert json.loads(fields["message"]) == {
        "attachment": {"type": "file", "payload": {"is_reusable": True}}
    }
    assert fields == platform | {"message": fields["message"]}
    assert form(call).files == {"filedata": FILE}


@pytest.mark.parametrize(
    ("sending", "content"),
    [(WHATSAPP, whatsapp("image")), (FACEBOOK, attachment(URL)), (INSTAGRAM, attachment(URL))],
)
def test_what_a_platform_knows_is_not_given_again(
    sending: Uploading, content: dict[str, Any]
) -> None:
    known = msgspec.structs.replace(FILE, known_as="4711")

    assert sending.uploads(outbound(content, known)) == {}
    assert sending.uploads(outbound(content)) == {}


@pytest.mark.parametrize(("sending", "name"), [(WHATSAPP, "id"), (FACEBOOK, "attachment_id")])
def test_what_a_file_is_called_is_read_from_the_answer(sending: Uploading, name: str) -> None:
    error = {"error": {"message": "no", "code": 2}}
    lasting = {"error": {"message": "no", "code": 100}}

    assert sending.uploaded(Reply(200, json.dumps({name: "4711"}).encode())) == "4711"
    assert isinstance(sending.uploaded(Reply(400, json.dumps(error).encode())), Later)
    assert isinstance(sending.uploaded(Reply(503, b"")), Later)
    assert isinstance(sending.uploaded(Reply(400, json.dumps(lasting).encode())), Refused)
    for nothing in (b"", b"{}", json.dumps({name: ""}).encode(), json.dumps({name: 7}).encode()):
        assert isinstance(sending.uploaded(Reply(200, nothing)), Refused)


def test_who_never_wrote_is_sent_no_file() -> None:
    never = msgspec.structs.replace(outbound(whatsapp("image"), FILE), heard_at=None)

    with pytest.raises(DeliveryError, match="only be opened with a template"):
        WHATSAPP.uploads(never)


KNOWN = msgspec.structs.replace(FILE, known_as="4711")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
EXTRAS = st.dictionaries(st.text(min_size=1).map(lambda key: f"x {key}"), VALUES)


@given(extras=EXTRAS, inner=EXTRAS)
def test_whatsapp_is_told_the_id_and_all_else_as_it_was(
    extras: dict[str, Any], inner: dict[str, Any]
) -> None:
    content = {"type": "image", "image": inner | {"link": URL}} | extras
    [call] = WHATSAPP.calls(outbound(content, KNOWN))
    body = json.loads(call.body)

    assert {name: body[name] for name in content} == content | {"image": inner | {"id": "4711"}}


@given(extras=EXTRAS, inner=EXTRAS)
def test_messenger_is_told_the_id_and_all_else_as_it_was(
    extras: dict[str, Any], inner: dict[str, Any]
) -> None:
    payload = inner | {"url": URL, "is_reusable": True}
    content = {"attachment": {"type": "image", "payload": payload}} | extras
    [call] = FACEBOOK.calls(outbound(content, KNOWN))

    shown = {"type": "image", "payload": inner | {"attachment_id": "4711"}}
    assert json.loads(call.body)["message"] == content | {"attachment": shown}


@pytest.mark.parametrize("sending", [FACEBOOK, WHATSAPP])
def test_numbers_and_half_characters_go_as_they_were_given(sending: Sending) -> None:
    link = b'"attachment":{"payload":{"url":"%b"}},"image":{"link":"%b"}' % ((URL.encode(),) * 2)
    [call] = sending.calls(outbound(b'{"n":1.50,"a":"\\ud83d",%b}' % link, KNOWN))

    assert b'"n":1.50,"a":"\\ud83d"' in call.body


@given(extras=st.dictionaries(st.from_regex(r"x_[a-z_]+", fullmatch=True), VALUES))
def test_telegram_gets_the_file_in_a_form_with_all_else(extras: dict[str, Any]) -> None:
    content = {"photo": URL, "caption": "Hi"} | extras
    [call] = TELEGRAM.calls(outbound(content, FILE))
    fields = form(call).fields

    assert call.url.endswith("/sendPhoto")
    assert form(call).files == {"photo": FILE}
    rest = {name: value for name, value in extras.items() if value is not None}
    assert fields.keys() == rest.keys() | {"chat_id", "caption"}
    assert (fields["chat_id"], fields["caption"]) == ("4915", "Hi")
    for name, value in rest.items():
        assert (fields[name] if isinstance(value, str) else json.loads(fields[name])) == value


@pytest.mark.parametrize("name", ["", 'a"b', "a\r\nb", "ä", "A"])
def test_what_is_no_field_of_telegrams_is_not_in_the_form(name: str) -> None:
    [call] = TELEGRAM.calls(outbound({"photo": URL, name: "x"}, FILE))

    assert form(call).fields == {"chat_id": "4915"}


def test_telegram_gets_the_files_of_a_group_under_names_of_their_own() -> None:
    group = [{"type": kind, "media": url} for kind, url in (("photo", URL), ("video", OTHER))]
    [call] = TELEGRAM.calls(outbound({"media": [*group, group[0] | {"caption": "x"}]}, FILE))
    media = json.loads(form(call).fields["media"])

    assert form(call).files == {"file0": FILE, "file1": FILE}
    assert [each["media"] for each in media] == ["attach://file0", OTHER, "attach://file1"]
    assert media[2]["caption"] == "x"


@pytest.mark.parametrize(("sending", "content"), PLACES)
def test_without_a_file_of_ours_the_content_is_not_touched(
    sending: Sending, content: dict[str, Any]
) -> None:
    for call in sending.calls(outbound(content)):
        assert call.form is None
        assert NAME.encode() in call.body


def test_viber_is_told_the_size_unless_the_message_says_it() -> None:
    near = msgspec.structs.replace(FILE, is_reachable=True)
    content = {"type": "file", "media": URL, "file_name": "a.jpg"}
    sizes = [
        json.loads(VIBER.calls(outbound(each, near))[0].body)["size"]
        for each in (content, content | {"size": 7})
    ]

    assert sizes == [1_000, 7]


LINKED = [
    (sending, content)
    for sending, content in PLACES
    if sending in (SMS, TWILIO_WHATSAPP, VIBER, GOOGLE)
]
PICTURES = [PLACES[1], PLACES[2]]


@pytest.mark.parametrize(("sending", "content"), LINKED)
def test_a_link_that_the_platform_cannot_fetch_fails_at_once(
    sending: Sending, content: dict[str, Any]
) -> None:
    with pytest.raises(DeliveryError) as refused:
        sending.calls(outbound(content, FILE))

    assert refused.value.reason == (
        f"The platform cannot fetch {URL}: the address is not public (http.public_url)"
    )
    near = msgspec.structs.replace(FILE, is_reachable=True)
    assert len(sending.calls(outbound(content, near))) == 1


@pytest.mark.parametrize(
    "content", [*(content for _, content in PICTURES), attachment(URL, "template")]
)
def test_pictures_of_templates_and_replies_have_to_be_reachable(content: dict[str, Any]) -> None:
    near = msgspec.structs.replace(FILE, is_reachable=True)

    assert FACEBOOK.uploads(outbound(content, near)) == {}
    with pytest.raises(DeliveryError, match="cannot fetch"):
        FACEBOOK.uploads(outbound(content, FILE))


def refusal(sending: Sending, content: Any, size: int, kind: str) -> str | None:
    """Return why a file cannot be sent, if it cannot."""
    file = OurFile(NAME, size, kind, is_reachable=True)
    message = outbound(content, file)
    try:
        if isinstance(sending, Uploading):
            sending.uploads(message)
        sending.calls(message)
    except DeliveryError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("sending", "content", "kind", "bytes_max"),
    [
        (WHATSAPP, whatsapp("image"), "image/png", 5 << 20),
        (WHATSAPP, whatsapp("audio"), "audio/ogg", 16 << 20),
        (WHATSAPP, whatsapp("video"), "video/mp4", 16 << 20),
        (WHATSAPP, whatsapp("document"), "application/pdf", 100 << 20),
        (WHATSAPP, whatsapp("sticker"), "image/webp", 500 << 10),
        (FACEBOOK, attachment(URL), "image/gif", 25 << 20),
        (FACEBOOK, attachment(URL, "file"), "application/zip", 25 << 20),
        (INSTAGRAM, attachment(URL), "image/png", 8 << 20),
        (INSTAGRAM, attachment(URL, "video"), "video/mp4", 25 << 20),
        (TELEGRAM, {"photo": URL}, "image/png", 10 << 20),
        (TELEGRAM, {"document": URL}, "application/pdf", 50 << 20),
        (TELEGRAM, {"media": [{"type": "photo", "media": URL}]}, "image/png", 10 << 20),
        (TELEGRAM, {"media": [{"type": "video", "media": URL}]}, "video/mp4", 50 << 20),
        (SMS, {"MediaUrl": URL}, "image/png", 5 << 20),
        (TWILIO_WHATSAPP, {"MediaUrl": URL}, "video/mp4", 16 << 20),
        (VIBER, {"type": "picture", "media": URL}, "image/jpeg", 1 << 20),
        (VIBER, {"type": "video", "media": URL}, "video/mp4", 26 << 20),
        (VIBER, {"type": "file", "media": URL}, "application/pdf", 50 << 20),
    ],
)
def test_what_is_too_large_fails_before_any_call(
    sending: Sending, content: dict[str, Any], kind: str, bytes_max: int
) -> None:
    assert refusal(sending, content, bytes_max, kind) is None
    told = refusal(sending, content, bytes_max + 1, kind) or ""
    assert told.endswith(f"has {bytes_max + 1} bytes, {bytes_max} are taken at most")


def test_the_files_of_a_group_count_together() -> None:
    group = {"media": [{"type": "video", "media": URL}] * 2}

    assert refusal(TELEGRAM, group, 25 << 20, "video/mp4") is None
    assert (refusal(TELEGRAM, group, (25 << 20) + 1, "video/mp4") or "").startswith("The message")


@pytest.mark.parametrize(
    ("sending", "content", "kind"),
    [
        (WHATSAPP, whatsapp("image"), "image/gif"),
        (WHATSAPP, whatsapp("document"), "application/zip"),
        (WHATSAPP, whatsapp("sticker"), "image/png"),
        (FACEBOOK, attachment(URL), "video/mp4"),
        (FACEBOOK, attachment(URL, "audio"), "application/pdf"),
        (VIBER, {"type": "picture", "media": URL}, "image/png"),
    ],
)
def test_a_type_that_is_not_taken_fails_before_any_call(
    sending: Sending, content: dict[str, Any], kind: str
) -> None:
    told = refusal(sending, content, 1, kind) or ""
    assert told.endswith(f"has the type {kind}, which is not taken")


def test_a_program_gets_links_as_they_are() -> None:
    assert CUSTOM.attached(json.dumps({"image": URL, "media": URL}).encode()) == []
