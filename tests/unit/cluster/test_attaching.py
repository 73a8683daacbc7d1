"""The courier with files of ours: platforms that take bytes get them, once, before the message."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airy_ray.model.events import DeliveryAttempted
from airy_ray.model.ids import MessageId
from airy_ray.simulator.intake import Trouble
from tests.unit.cluster.correspondence import Correspondence, called
from tests.unit.cluster.test_send_outcomes import OURS, PICTURE, URL, delivering, pictures, working

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4_000
REPORT = called(PDF, "report.pdf")
LOCAL = f"http://127.0.0.1:8000/media/{OURS}"
GIVEN_BEFORE = ("facebook", "instagram", "whatsapp")
"""Those whose platform is given a file before the message."""


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Correspondence]:
    with working(tmp_path) as found:
        found.keep(PICTURE, "a.jpg")
        found.keep(PDF, "report.pdf")
        yield found


def sent(post: Correspondence, name: str, content: Any, *, number: int = 0) -> MessageId:
    """Have a contact of a family written to, who has written."""
    post.begin(post.families[name], number)
    return post.send(post.families[name], number, content)


def settled(post: Correspondence, *messages: MessageId) -> list[str]:
    """Run a courier until messages are settled; return their states, or why they failed."""
    delivering(post, lambda: all(map(post.is_settled, messages)))
    told = [post.told(each) for each in messages]
    return [each.get("error", each["state"]) for each in told]


def taken(post: Correspondence, name: str, *, number: int = 0) -> Any:
    """Return the one message that a contact got."""
    family = post.families[name]
    [found] = [each.content for each in family.intake.taken if each.to == family.contact(number)]
    return found


def test_platforms_that_take_bytes_get_them(post: Correspondence) -> None:
    messages = [sent(post, name, pictures(LOCAL)[name]) for name in (*GIVEN_BEFORE, "telegram")]
    assert settled(post, *messages) == ["delivered"] * 4

    given = post.platforms.graph.files.given
    shown = [taken(post, name)["attachment"] for name in ("facebook", "instagram")]
    assert [each.keys() for each in (part["payload"] for part in shown)] == [{"attachment_id"}] * 2
    image = taken(post, "whatsapp")["image"]
    assert image == {"id": image["id"], "caption": "A picture"}
    files = [given[part["payload"]["attachment_id"]].file for part in shown]
    files += [given[image["id"]].file]
    files += [post.platforms.telegram.files[taken(post, "telegram")["photo"]]]
    assert {(file.name, file.kind) for file in files} == {(OURS, "image/jpeg")}
    assert all(file.content == PICTURE for file in files)


def test_a_file_is_given_once_however_often_its_message_is_tried(post: Correspondence) -> None:
    for name in GIVEN_BEFORE:
        family = post.families[name]
        family.intake.trouble(family.contact(0), Trouble.DOWN)
    messages = [sent(post, name, pictures(LOCAL)[name]) for name in GIVEN_BEFORE]

    assert settled(post, *messages) == ["delivered"] * 3
    assert len(post.families["facebook"].intake.asked) == 2 * 3
    assert post.platforms.graph.files.asked == 3


def test_a_file_that_is_not_taken_now_is_given_again_and_nothing_was_sent(
    post: Correspondence,
) -> None:
    post.platforms.graph.files.troubles.extend([Trouble.DOWN, Trouble.RATE_LIMITED, Trouble.DOWN])
    messages = [sent(post, name, pictures(LOCAL)[name]) for name in GIVEN_BEFORE]

    assert settled(post, *messages) == ["delivered"] * 3
    assert post.platforms.graph.files.asked == 3 + 3
    assert sorted(post.logged(DeliveryAttempted)) == sorted(messages)


def test_a_file_that_is_refused_fails_its_message_without_a_call(post: Correspondence) -> None:
    post.platforms.graph.files.troubles.extend([Trouble.TOKEN_EXPIRED] * 3)
    messages = [sent(post, name, pictures(LOCAL)[name]) for name in GIVEN_BEFORE]

    expired = "Error validating access token: Session has expired."
    assert settled(post, *messages) == [expired] * 3
    assert post.logged(DeliveryAttempted) == []
    assert post.families["facebook"].intake.asked == []


def test_links_to_others_and_to_files_that_are_gone_go_on_as_links(post: Correspondence) -> None:
    gone = f"https://airy.example.org/media/{called(b'gone', 'a.jpg')}"
    names = (*GIVEN_BEFORE, "telegram")
    cases = [(name, number, url) for name in names for number, url in enumerate((URL, gone))]
    messages = [sent(post, name, pictures(url)[name], number=number) for name, number, url in cases]

    assert settled(post, *messages) == ["delivered"] * len(cases)
    assert post.platforms.graph.files.asked == 0
    for name, number, url in cases:
        found = taken(post, name, number=number)
        assert pictures(url)[name].items() <= found.items()


def test_files_of_headers_and_of_templates_are_given_too(post: Correspondence) -> None:
    document = {"type": "document", "document": {"link": f"https://x.example/media/{REPORT}"}}
    header = {"type": "header", "parameters": [document]}
    template = {"name": "a", "language": {"code": "de"}, "components": [header]}
    button = {"type": "button", "header": document, "body": {"text": "Here it is"}}
    messages = [
        sent(post, "whatsapp", {"type": "template", "template": template}),
        sent(post, "whatsapp", {"type": "interactive", "interactive": button}, number=1),
    ]
    assert settled(post, *messages) == ["delivered"] * 2

    [component] = taken(post, "whatsapp")["template"]["components"]
    shown = [
        component["parameters"][0]["document"],
        taken(post, "whatsapp", number=1)["interactive"]["header"]["document"],
    ]
    given = post.platforms.graph.files.given
    assert [given[part["id"]].file.content for part in shown] == [PDF] * 2


def test_telegram_gets_files_in_a_group_along_with_all_else(post: Correspondence) -> None:
    group = [
        {"type": "photo", "media": LOCAL, "caption": "ours"},
        {"type": "photo", "media": URL},
        {"type": "photo", "media": LOCAL},
    ]
    content = {"media": group, "reply_parameters": {"message_id": 7}, "protect_content": True}
    assert settled(post, sent(post, "telegram", content)) == ["delivered"]

    found = taken(post, "telegram")
    first, second, third = found["media"]
    files = post.platforms.telegram.files
    assert [files[each["media"]].content for each in (first, third)] == [PICTURE] * 2
    assert (first["caption"], second) == ("ours", group[1])
    assert (found["reply_parameters"], found["protect_content"]) == ({"message_id": 7}, "true")


def test_viber_is_told_how_large_a_file_is(post: Correspondence) -> None:
    url = f"https://airy.example.org/media/{REPORT}"
    content = {"type": "file", "media": url, "file_name": "report.pdf"}

    assert settled(post, sent(post, "viber", content)) == ["delivered"]
    assert taken(post, "viber")["size"] == len(PDF)


def test_a_store_that_does_not_answer_holds_up_only_messages_with_files(
    post: Correspondence,
) -> None:
    """It is asked again, and what is given then is whole."""
    file = Path(str(post.files.directory)) / OURS
    file.unlink()
    file.symlink_to(file)  # opening it fails, and not because it is not there
    whatsapp = post.families["whatsapp"]
    waiting = sent(post, "whatsapp", pictures(LOCAL)["whatsapp"])
    following = sent(post, "telegram", {"text": "Hello"})
    delivering(post, lambda: post.is_settled(following))
    assert post.state(waiting) == "pending"
    file.unlink()
    post.keep(PICTURE, "a.jpg")

    assert settled(post, waiting) == ["delivered"]
    assert whatsapp.intake.asked == [whatsapp.contact(0)]
