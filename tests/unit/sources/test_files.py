"""Which files contacts' messages have at their platforms."""

import json
from typing import Any

import pytest

from airy_ray.sources.files import FILES_MAX, Access, Link, links
from airy_ray.sources.sending import Reply, basic_login
from tests import manifests
from tests.unit.sources.test_fixtures import CASES, Ingestion

URL = "https://cdn.example.org/a.jpg?oh=1&ext=2"


def of(source: str, content: Any) -> list[Link]:
    return links(source, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("source", "file", "names"),
    [
        ("facebook", "in_images.json", ["a.jpg", "b.png"]),
        ("facebook", "in_attachments_mixed.json", ["a.mp4", "v.mp4", "invoice.pdf"]),
        ("facebook", "in_sticker.json", ["like.png"]),
        ("facebook", "in_text.json", []),
        ("instagram", "in_share.json", ["share", "reel"]),
        ("instagram", "in_story_mention.json", [""]),
        ("instagram", "in_story_reply.json", ["story"]),
        ("google", "in_image.json", ["jzsu6cdguNGsBhmGJGuLs1DS"]),
        ("google", "rcs_file.json", ["a.png"]),
        ("google", "in_text.json", []),
        ("viber", "in_picture.json", ["a.jpg", "t.jpg"]),
        ("viber", "in_file.json", ["report.pdf"]),
        ("viber", "in_url.json", []),
        ("twilio.sms", "in_mms_three.form", ["file.png", "file.mp4", "file.vcard"]),
        ("twilio.sms", "in_text.form", []),
        ("whatsapp", "in_document.json", ["order.pdf"]),
        ("whatsapp", "in_voice.json", ["file.ogg"]),
        ("whatsapp", "in_text.json", []),
        ("telegram", "in_document.json", ["a.pdf"]),
        ("telegram", "in_photo.json", [""]),
        ("telegram", "in_text.json", []),
    ],
)
def test_each_platform_tells_of_the_files_of_a_message(
    source: str, file: str, names: list[str]
) -> None:
    ingestion = Ingestion(source)
    ingestion.take(CASES[source, file])
    stored = sorted(ingestion.messages().values(), key=lambda each: each.sent_at)
    found = [link for each in stored for link in links(each.source, each.content)]

    assert [each.name for each in found] == names


def test_a_page_that_a_contact_links_to_is_no_file() -> None:
    shared = [{"type": "fallback", "payload": {"url": URL}}]
    assert of("facebook", {"attachments": shared}) == []
    assert of("google", {"message": {"text": f"see {URL}"}}) == []


def test_twilio_tells_of_an_address_as_the_form_spells_it() -> None:
    spelled = "https%3A%2F%2Fapi.twilio.com%2FMedia%2FME1"
    form = f"Body=x&MediaUrl0={spelled}&MediaContentType0=image%2Fjpeg&NumMedia=1"
    assert of("twilio.sms", form) == [
        Link(spelled, "https://api.twilio.com/Media/ME1", "file.jpeg")
    ]


def test_whatsapp_and_telegram_tell_ids() -> None:
    image = {"type": "image", "image": {"id": "64", "mime_type": "image/jpeg"}}
    photo = {"photo": [{"file_id": "small"}, {"file_id": "large"}]}
    assert of("whatsapp", image) == [Link("64", None, "file.jpeg")]
    assert of("telegram", {"message": photo}) == [Link("large", None)]
    assert of("telegram", {"edited_message": photo}) == [Link("large", None)]


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "text",
        {"attachments": "x"},
        {"attachments": [{"type": "image", "payload": {"url": 7}}]},
        {"attachments": [{"type": ["image"], "payload": {"url": URL}}]},
        {"attachments": [{"type": "image", "payload": {"url": "file:///etc/passwd"}}]},
        {"attachments": [{"type": "image", "payload": {"url": "http://["}}]},
        {"attachments": [None]},
        {"message": {"type": "picture", "media": []}},
        {"image": {"id": 7}},
        {"message": {"photo": [7]}},
        "MediaUrl0=http%3A%2F%2F%5B",
        {"userFile": {"payload": "x", "thumbnail": []}},
    ],
)
@pytest.mark.parametrize(
    "source",
    ["facebook", "instagram", "google", "viber", "twilio.sms", "whatsapp", "telegram", "custom"],
)
def test_other_contents_have_no_files(source: str, content: Any) -> None:
    assert of(source, content) == []


def test_what_is_no_json_has_none() -> None:
    assert links("facebook", b"{") == []


def test_one_message_has_a_bounded_number_of_files() -> None:
    many = [
        {"type": "image", "payload": {"url": f"{URL}{number}"}} for number in range(FILES_MAX + 5)
    ]
    assert len(of("facebook", {"attachments": many})) == FILES_MAX


def test_credentials_go_to_the_platform_itself_only() -> None:
    access = Access("https://api.twilio.com", basic_login("AC1", "secret"))

    assert access.headers("https://api.twilio.com/a") == {"authorization": "Basic QUMxOnNlY3JldA=="}
    assert access.headers("https://api.twilio.com.example.org/a") == {}
    assert access.headers("http://api.twilio.com/a") == {}


def test_ids_become_addresses() -> None:
    whatsapp = Access("https://graph.example.org/v25.0", asks="whatsapp")
    telegram = Access("https://api.telegram.org/", asks="telegram")
    media = Reply(200, manifests.body("whatsapp", "api_media.json"))
    file = Reply(200, manifests.body("telegram", "api_get_file.json"))

    asked = whatsapp.call(Link("64/../x", None), "T")
    assert asked.url == "https://graph.example.org/v25.0/64%2F..%2Fx"
    assert asked.headers == {"authorization": "Bearer T"}
    url = json.loads(media.body)["url"]
    assert whatsapp.found(media, "T") == (url, {"authorization": "Bearer T"})
    assert telegram.call(Link("BQ1", None), "T").url.endswith("/botT/getFile?file_id=BQ1")
    assert telegram.found(file, "T") == (
        "https://api.telegram.org/file/botT/documents/file_1.pdf",
        {},
    )
    assert whatsapp.found(Reply(200, b"[]"), "T") is None
    assert telegram.found(Reply(200, b"{}"), "T") is None
