"""What becomes of a message, by source and by what its platform makes of it (sources §0.7).

All of it happens in one run of the courier, each case in a conversation of its own, in which
another message follows.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from airy_ray.model.ids import REGISTRY, MessageId
from airy_ray.simulator.intake import Trouble
from airy_ray.sources.sending import Pace, Sending
from airy_ray.sources.twilio_sending import TwilioSending
from tests.log_builders import spec
from tests.unit.cluster.correspondence import Correspondence, Family, called, corresponding
from tests.unit.cluster.couriers import deliver_until
from tests.unit.cluster.test_owner import running, until

LONG_S = 120.0


URL = "https://example.org/a.jpg"

PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(1_000)
LARGE = PICTURE + bytes(26 << 20)
"""More than any platform takes of a picture."""
OURS = called(PICTURE, "a.jpg")

CARD = {"standaloneCard": {"cardContent": {"title": "A card"}}}
SUGGESTIONS = [{"reply": {"text": "Yes", "postbackData": "yes"}}]


def pictures(url: str) -> dict[str, Any]:
    """Return a picture at an address, as each family sends it."""
    attachment = {"type": "image", "payload": {"url": url, "is_reusable": True}}
    return {
        "facebook": {"attachment": attachment},
        "instagram": {"attachment": attachment},
        "whatsapp": {"type": "image", "image": {"link": url, "caption": "A picture"}},
        "twilio.sms": {"MediaUrl": url},
        "twilio.whatsapp": {"MediaUrl": [url]},
        "viber": {"type": "picture", "media": url, "text": "A picture"},
        "telegram": {"photo": url},
        "google": {"image": {"contentInfo": {"fileUrl": url, "altText": "A picture"}}},
        "rcs": {"contentInfo": {"fileUrl": url}},
        "custom": {"image": url},
    }


MEDIA = pictures(URL)
MESSENGER_TEMPLATE = {"template_type": "generic", "elements": [{"title": "A card"}]}
TEMPLATES: dict[str, Any] = {
    "facebook": {"attachment": {"type": "template", "payload": MESSENGER_TEMPLATE}},
    "instagram": {"attachment": {"type": "template", "payload": MESSENGER_TEMPLATE}},
    "whatsapp": {"type": "template", "template": {"name": "hi", "language": {"code": "de"}}},
    "twilio.sms": {"ContentSid": f"HX{'0' * 32}", "ContentVariables": {"1": "Ada"}},
    "twilio.whatsapp": {"ContentSid": f"HX{'0' * 32}", "ContentVariables": {"1": "Ada"}},
    "viber": {"type": "rich_media", "rich_media": {"Type": "rich_media", "Buttons": []}},
    "telegram": {"question": "Which?", "options": ["this", "that"]},
    "google": {"richCard": CARD},
    "rcs": {"richCard": CARD},
    "custom": {"template": "hi"},
}
REPLIES: dict[str, Any] = {
    "facebook": {"text": "reply", "quick_replies": [{"content_type": "text", "title": "Yes"}]},
    "instagram": {"text": "reply", "quick_replies": [{"content_type": "text", "title": "Yes"}]},
    "whatsapp": {"text": {"body": "reply"}, "context": {"message_id": "wamid.1"}},
    "twilio.sms": {"Body": "reply"},
    "twilio.whatsapp": {"Body": "reply"},
    "viber": {"type": "text", "text": "reply", "tracking_data": "1"},
    "telegram": {"text": "reply", "reply_parameters": {"message_id": 1}},
    "google": {"text": "reply", "suggestions": SUGGESTIONS},
    "rcs": {"text": "reply", "suggestions": SUGGESTIONS},
    "custom": {"text": "reply", "reply_to": "1"},
}
FAMILIES = tuple(MEDIA)
LINKING = ("twilio.sms", "twilio.whatsapp", "viber", "google", "rcs")
"""Those whose platform takes nothing but links, which it has to reach."""
ONCE = ("google", "rcs")
"""Those whose platform takes a message once."""

LONG = "word " * 1_900
TOO_LONG = {
    "facebook": "(#100) Length of param message[text] must be less than or equal to 2000",
    "instagram": "(#100) Length of param message[text] must be less than or equal to 1000 bytes",
    "twilio.sms": "The concatenated message body exceeds the 1600 character limit.",
    "twilio.whatsapp": "The concatenated message body exceeds the 1600 character limit.",
    "viber": "badData",
    "google": "text must be at most 3072 characters long.",
    "rcs": "text must be at most 3072 characters long.",
    "custom": "Too long",
}
IN_PARTS = {"whatsapp": 3, "telegram": 3}
CLOSED = {
    "facebook": "(#10) This message is sent outside of allowed window.",
    "instagram": "(#10) This message is sent outside of allowed window.",
    "whatsapp": "(#131047) Re-engagement message",
    "twilio.sms": "Attempt to send to unsubscribed recipient",
    "twilio.whatsapp": "Failed to send freeform message outside the allowed window.",
    "viber": "receiverNotSubscribed",
    "telegram": "Forbidden: bot was blocked by the user",
    "google": "The conversation has ended.",
    "rcs": "The conversation has ended.",
    "custom": "The contact wants no messages",
}
EXPIRED = {
    "facebook": "Error validating access token: Session has expired.",
    "instagram": "Error validating access token: Session has expired.",
    "whatsapp": "Error validating access token: Session has expired.",
    "twilio.sms": "Authenticate",
    "twilio.whatsapp": "Authenticate",
    "viber": "invalidAuthToken",
    "telegram": "Unauthorized",
    "custom": "The token was revoked",
}
UNREACHABLE = dict.fromkeys(LINKING, "The platform cannot fetch http://127.0.0.1:8000/media/")
TOO_MUCH = {
    "facebook": f"The image has {len(LARGE)} bytes, {25 << 20} are taken at most",
    "instagram": f"The image has {len(LARGE)} bytes, {8 << 20} are taken at most",
    "whatsapp": f"The image has {len(LARGE)} bytes, {5 << 20} are taken at most",
    "twilio.sms": f"The message has {len(LARGE)} bytes, {5 << 20} are taken at most",
    "twilio.whatsapp": f"The file has {len(LARGE)} bytes, {16 << 20} are taken at most",
    "viber": f"The picture has {len(LARGE)} bytes, {1 << 20} are taken at most",
    "telegram": f"The photo has {len(LARGE)} bytes, {10 << 20} are taken at most",
}
CUT_SHORT = {family: "delivery uncertain: " for family in FAMILIES if family not in ONCE}


@dataclass(frozen=True)
class Case:
    """Something that happens to a message.

    Attributes:
        content: by family; by default words.
        troubles: what its platform makes of it, one time after the other.
        failing: why it fails, by family; where it does not it is delivered.
        parts: in how many it arrives, by family, if not in one.
        is_taken: whether the platform takes it, though it is told to have failed.
    """

    content: dict[str, Any] | None = None
    words: str = "first"
    troubles: tuple[Trouble, ...] = ()
    failing: dict[str, str] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    is_taken: bool = False


CASES = {
    "text": Case(),
    "media": Case(MEDIA),
    "our file": Case(pictures(f"http://127.0.0.1:8000/media/{OURS}"), failing=UNREACHABLE),
    "our file at a public address": Case(pictures(f"https://airy.example.org/media/{OURS}")),
    "our file, too large": Case(
        pictures(f"https://airy.example.org/media/{called(LARGE, 'a.jpg')}"), failing=TOO_MUCH
    ),
    "our file, rate-limited": Case(
        pictures(f"https://airy.example.org/media/{OURS}"),
        troubles=(Trouble.RATE_LIMITED,),
        failing={"custom": "Too many requests"},
    ),
    "template": Case(TEMPLATES),
    "reply": Case(REPLIES),
    "too long": Case(words=LONG, failing=TOO_LONG, parts=IN_PARTS),
    "outside the window": Case(troubles=(Trouble.OUTSIDE_WINDOW,), failing=CLOSED),
    "rate-limited": Case(troubles=(Trouble.RATE_LIMITED,), failing={"custom": "Too many requests"}),
    "5xx": Case(troubles=(Trouble.DOWN,), failing={"custom": "Down for maintenance"}),
    "5xx, then rate-limited": Case(
        troubles=(Trouble.DOWN, Trouble.RATE_LIMITED), failing={"custom": "Down for maintenance"}
    ),
    "token expired": Case(troubles=(Trouble.TOKEN_EXPIRED,), failing=EXPIRED),
    "no answer after it was taken": Case(
        troubles=(Trouble.SILENT,), failing=CUT_SHORT, is_taken=True
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a message, and of that which followed it.

    Attributes:
        taken: the words that its platform took from the conversation, oldest first.
        known_as: what the platform calls the first that it took.
    """

    told: dict[str, Any]
    following: dict[str, Any]
    taken: list[Any]
    known_as: str


class Hurried(TwilioSending, frozen=True):
    """Phone numbers that may send more than one message a second."""

    def pace(self, content: bytes) -> Pace:
        return Pace(1_000.0)


@contextmanager
def working(directory: Path) -> Iterator[Correspondence]:
    """Play the platforms, with partitions that have their owners."""
    own, registry = spec(directory), spec(directory, index=REGISTRY)
    with ExitStack() as stack:
        for each in (own, registry):
            each.directory.mkdir(parents=True)
            owner = stack.enter_context(running(each, own.directory.parent))
            until(lambda owner=owner: owner.partition)  # type: ignore[misc]
        yield stack.enter_context(corresponding(own, registry))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Outcome]:
    """What became of all cases in all families."""
    with working(tmp_path_factory.mktemp("outcomes")) as post:
        return played(post)


def played(post: Correspondence) -> dict[tuple[str, str], Outcome]:
    """Send all that there is, and return what became of it."""
    for content in (PICTURE, LARGE):
        post.keep(content, "a.jpg")
    sent: dict[tuple[str, str], tuple[MessageId, MessageId]] = {}
    for family in post.families.values():
        for number, (name, case) in enumerate(CASES.items()):
            post.begin(family, number)
            troubles = case.troubles[:1] if family.name in case.failing else case.troubles
            family.intake.trouble(family.contact(number), *troubles)
            content = family.text(case.words) if case.content is None else case.content[family.name]
            first = post.send(family, number, content)
            sent[family.name, name] = first, post.send(family, number, family.text("after"))
    everything = [each for pair in sent.values() for each in pair]
    delivering(post, lambda: all(map(post.is_settled, everything)))
    return {
        (family, name): _outcome(post, post.families[family], name, *pair)
        for (family, name), pair in sent.items()
    }


def _outcome(
    post: Correspondence, family: Family, name: str, first: MessageId, following: MessageId
) -> Outcome:
    number = list(CASES).index(name)
    contact = family.contact(number)
    known_as = next(each.known_as for each in family.intake.taken if each.to == contact)
    return Outcome(post.told(first), post.told(following), family.taken(number), known_as)


def delivering(post: Correspondence, is_done: Callable[[], bool]) -> None:
    """Run a courier until something is done."""
    sendings: dict[str, Sending] = dict(post.platforms.sendings)
    sms = cast(TwilioSending, sendings["twilio.sms"])
    sendings["twilio.sms"] = Hurried(*msgspec.structs.astuple(sms))
    specs = [post.own, post.registry]
    deliver_until(is_done, specs, sendings, within_s=LONG_S, files=post.files)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_message_is_taken_once_or_said_to_have_failed(
    family: str, name: str, outcomes: dict[tuple[str, str], Outcome]
) -> None:
    case, found = CASES[name], outcomes[family, name]
    failing = case.failing.get(family)

    if failing is None:
        assert found.told == {"state": "delivered", "source": {"id": found.known_as}}
    else:
        assert found.told["state"] == "failed"
        assert found.told["error"].startswith(failing)
    is_taken = failing is None or case.is_taken
    assert len(found.taken) == is_taken * case.parts.get(family, 1) + 1


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_follows_is_taken_after_it(
    family: str, name: str, outcomes: dict[tuple[str, str], Outcome]
) -> None:
    found = outcomes[family, name]

    assert found.following["state"] == "delivered"
    assert [words == "after" for words in found.taken] == [False] * (len(found.taken) - 1) + [True]


def test_a_chat_that_has_to_pause_holds_up_no_other(tmp_path: Path) -> None:
    with working(tmp_path) as post:
        telegram = post.families["telegram"]
        paused, other = telegram.contact(0), telegram.contact(1)
        for number in range(2):
            post.begin(telegram, number)
        telegram.intake.trouble(paused, Trouble.RATE_LIMITED)
        sent = [post.send(telegram, 0, telegram.text("first"))]

        def is_done() -> bool:
            if len(sent) == 1 and telegram.intake.asked:
                sent.extend(post.send(telegram, 1, telegram.text(f"{n}")) for n in range(10))
            return len(sent) > 1 and all(map(post.is_settled, sent))

        delivering(post, is_done)

        assert telegram.intake.asked == [paused, *[other] * 10, paused]
