"""What a source's outbound half does: a message becomes calls, an answer a verdict. Pure.

1. Whoever calls has checked that the message is not stale, has a recipient, and that its channel is
   connected (sources §0.7). What a platform would refuse anyway is for the platform to refuse.
2. Content goes as it was given but for the fields that the source needs: nothing is parsed whose
   numbers or keys could change.
3. A message of several calls (one too long, split) makes them in order. What its source calls it is
   what the first is called.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.ids import MessageId
from airy_ray.sources.attached import Files, OurFile

_WAIT_S_MAX = 3_600.0
_FILES_WAIT_S = 120.0
_TOO_MANY = 429


class Outbound(msgspec.Struct, frozen=True, gc=False):
    """A message of ours as its source needs to know it.

    Attributes:
        content: JSON text in the source's own form.
        recipient: what the source calls the conversation or, for one that we begin, the contact.
        channel: what the source calls the channel.
        token: the channel's secret, or what came of the source's authorization.
        at: now.
        heard_at: when the contact last wrote, which opens a window for answers; None for a
            conversation that we begin.
        is_by_person: whether a user wrote it, and no program.
        sent_at: when it was written.
        conversation: None for one that we begin.
        custom_source: where it goes, unless the source is built in.
        files: those of ours that it links to.
    """

    message_id: MessageId
    content: bytes
    recipient: str
    channel: str
    token: str
    at: Millis
    heard_at: Millis | None = None
    is_by_person: bool = False
    sent_at: Millis = Millis(0)
    conversation: Conversation | None = None
    custom_source: CustomSource | None = None
    files: Files = {}


class Form(msgspec.Struct, frozen=True, gc=False):
    """A body of `multipart/form-data`: its fields, and files of ours, by their names in it."""

    fields: dict[str, str]
    files: dict[str, OurFile]


class Call(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request to a platform, which may take `wait_s` to answer.

    Attributes:
        form: what goes instead of a body.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    wait_s: float = 30.0
    form: Form | None = None


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What a platform answered; names of headers in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}

    @property
    def text(self) -> str:
        """The body as people read it."""
        return self.body.decode(errors="replace")

    def told(self) -> dict[str, object]:
        """Return the JSON object in the body; empty if there is none."""
        try:
            told = json_text.decode(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}


class Taken(msgspec.Struct, frozen=True, gc=False):
    """The platform took the message, and calls it so if it told.

    Attributes:
        metadata: what it wants to be kept with the message, dotted key to JSON text.
    """

    source_message_id: str | None
    metadata: dict[str, bytes] = {}


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The platform will not take it: `reason` for people, `answer` as it came.

    Attributes:
        is_of_token: whether that is because the channel's token is not good any more.
    """

    reason: str
    answer: str | None = None
    is_of_token: bool = False


class Later(msgspec.Struct, frozen=True, gc=False):
    """The platform did not take it now; perhaps it does after a while.

    Attributes:
        after_s: how long to wait at least, if the platform said so.
        is_of_conversation: whether that is about the conversation and not about the whole channel.
    """

    reason: str
    answer: str | None = None
    after_s: float | None = None
    is_of_conversation: bool = False


Verdict = Taken | Refused | Later


class Authorized(msgspec.Struct, frozen=True, gc=False):
    """A token that calls can be made with, and for how long."""

    token: str
    lasts_s: float


class Pace(msgspec.Struct, frozen=True, gc=False):
    """How many calls a channel may make each second; each `kind` has an allowance of its own."""

    per_s: float
    kind: str = ""


class Sending(Protocol):
    """A messaging platform's API for messages, with our credentials there."""

    @property
    def is_deduplicating(self) -> bool:
        """Whether the platform takes one message once, however often it is sent."""
        ...

    @property
    def opens_conversations(self) -> bool:
        """Whether we may write to who has not written to us."""
        ...

    @property
    def needs_token(self) -> bool:
        """Whether nothing can be sent on a channel that has no token."""
        ...

    @property
    def expires(self) -> bool:
        """Whether a message is too old to be sent some time after it became pending.

        Within that time it is tried again; one that never gets too old is tried once.
        """
        ...

    def pace(self, content: bytes) -> Pace:
        """Return how fast such messages may follow one another on a channel."""
        ...

    def authorization(self, channel: str, at: Millis) -> Call | None:
        """Return the call that gets a token; None where the channel's own is used.

        Raises:
            DeliveryError: we have no credentials, or wrong ones.
        """
        ...

    def authorized(self, reply: Reply) -> Authorized | Refused | Later:
        """Return what came of that call."""
        ...

    def attached(self, content: bytes) -> list[str]:
        """Return the addresses at which content may link to files of ours.

        Raises:
            DeliveryError: there are too many.
        """
        ...

    def calls(self, message: Outbound) -> list[Call]:
        """Return what to call, in order; at least one.

        Raises:
            DeliveryError: it cannot be sent, for a reason that people can read.
        """
        ...

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what an answer to one of the calls means."""
        ...


@runtime_checkable
class Uploading(Protocol):
    """A source whose platform is given files before the messages that name them."""

    def uploads(self, message: Outbound) -> dict[str, Call]:
        """Return the calls that give it the files which it does not know yet, by their addresses.

        They send nothing, so they may be repeated.

        Raises:
            DeliveryError: it takes no such file, or no such message.
        """
        ...

    def uploaded(self, reply: Reply) -> str | Refused | Later:
        """Return what the platform calls a file since it was given it."""
        ...


@runtime_checkable
class ReadReceipts(Protocol):
    """A source that tells contacts that we have read what they wrote."""

    def read_receipt(self, channel: str, token: str, source_message_id: str) -> Call:
        """Return the call that says so of a message, and of all before it."""
        ...


class ChannelToken:
    """What sources have in common whose channels bring their own token."""

    is_deduplicating = False
    opens_conversations = False
    needs_token = True
    expires = True

    def authorization(self, channel: str, at: Millis) -> Call | None:
        """Return None: the channel's token is good as it is."""
        return None

    def authorized(self, reply: Reply) -> Authorized | Refused | Later:
        """Never asked."""
        raise AssertionError("there is no call to get a token")


def not_taken(reply: Reply, reason: str | None, *, may_pass: bool) -> Refused | Later:
    """Return what an error means whose text is `reason`, if it has one (sources §0.7)."""
    shown = reason or f"Api replied with status code {reply.status} and payload {reply.text}"
    if may_pass or reply.status == _TOO_MANY or reply.status >= 500:
        return Later(shown, reply.text, retry_after_s(reply))
    return Refused(shown, reply.text)


def retry_after_s(reply: Reply) -> float | None:
    """Return what `Retry-After` asks for in seconds; dates are not waited for."""
    asked = reply.headers.get("retry-after", "").strip()
    return bounded_wait_s(int(asked)) if asked.isdecimal() and len(asked) < 10 else None


def bounded_wait_s(asked: int) -> float:
    """Return how many seconds we wait where a platform asks for so many: an hour at most."""
    return min(max(float(asked), 0.0), _WAIT_S_MAX)


def parted(text: str, head: Callable[[str], str]) -> list[str]:
    """Return a text in parts, cut where a line ends, else between words, else between characters.

    `head` returns as much of a text's beginning as one message takes. Blank parts are left out.
    """
    parts = []
    while len(first := head(text)) < len(text):
        half, behind = len(first) // 2, len(first) + 1  # not to make short parts
        ends = (text.rfind("\n", half, behind), text.rfind(" ", half, behind), len(first))
        end = next(each for each in ends if each > 0)
        parts.append(text[:end])
        text = text[end:].lstrip()
    return [part for part in (*parts, text) if part.strip()]


def fields(content: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of content that is a JSON object, their values as they are.

    Raises:
        DeliveryError: it is none.
    """
    try:
        return json_text.decode_with(_fields_decoder, content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DeliveryError("Malformed message: expected a JSON object") from None


def basic_login(user: str, password: str) -> str:
    """Return the authorization header for a name and a password."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def with_files(url: str, form: Form, headers: dict[str, str] | None = None) -> Call:
    """Return a call that brings files, which may take longer than others."""
    return Call("POST", url, headers or {}, b"", _FILES_WAIT_S, form)


def body_of(named: Mapping[str, object]) -> bytes:
    """Return fields as a JSON body, raw values as they are."""
    return json_text.unshield(json_text.encode(named))


_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
