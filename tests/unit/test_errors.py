import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import airy_ray
from airy_ray import errors
from airy_ray.errors import AiryError

MADE: dict[type[AiryError], tuple[Any, ...]] = {
    errors.AiryError: ("a text",),
    errors.ConfigError: ("http.port: too large",),
    errors.SourceError: ("a text",),
    errors.SignatureError: ("facebook",),
    errors.PayloadError: ("not JSON",),
    errors.DeliveryError: ("blocked",),
    errors.FetchError: ("it is empty", False),
    errors.BotError: ("status 500",),
    errors.NotFoundError: ("a text",),
    errors.ConversationNotFoundError: ("an id",),
    errors.ChannelNotFoundError: ("an id",),
    errors.MessageNotFoundError: ("an id",),
    errors.RequestError: (409, "used for another request"),
    errors.ReplayError: ("it is not ready",),
    errors.FilterError: ("unexpected '('",),
    errors.RawLogError: ("a text",),
    errors.RecordCorruptError: (7, "its checksum is wrong"),
    errors.OffsetOutOfRangeError: (7, range(2, 5)),
    errors.LogBusyError: ("a text",),
    errors.StorageError: ("a text",),
    errors.DiskFullError: ("a text",),
    errors.DamagedError: ("/a/path", "a failed write"),
    errors.ChildDiedError: (-11,),
    errors.UnstorableError: ("a text",),
    errors.StateError: ("a text",),
    errors.RowCorruptError: ("messages", b"\x01\xff"),
    errors.RebuildingError: (5, 9),
    errors.NewerStateError: (8, 7),
    errors.IndexingError: ("a text",),
    errors.FeedTrimmedError: ("a text",),
    errors.ProtocolError: ("there is no such command",),
    errors.PartitionError: ("a text",),
    errors.PartitionUnavailableError: ("a text",),
    errors.PartitionFencedError: ("a text",),
}


def family(error: type[AiryError]) -> Iterator[type[AiryError]]:
    yield error
    for kind in error.__subclasses__():
        yield from family(kind)


def test_every_error_is_in_the_table_above() -> None:
    """A new one has to be shown to survive the way between processes."""
    assert {kind for kind in family(AiryError) if kind.__module__ == errors.__name__} == set(MADE)


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_an_error_arrives_whole_in_another_process(kind: type[AiryError]) -> None:
    error = kind(*MADE[kind])
    arrived = pickle.loads(pickle.dumps(error))

    assert type(arrived) is kind
    assert arrived.args == error.args
    assert vars(arrived) == vars(error)
    assert str(arrived) == str(error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.SignatureError("google"), "google: the signature is missing or wrong"),
        (errors.RequestError(404), "404"),
        (errors.RequestError(409, "again"), "409 again"),
        (errors.FilterError("empty"), "Failed to parse Lucene query: empty"),
        (errors.RecordCorruptError(7, "cut"), "the record at offset 7 is damaged: cut"),
        (errors.OffsetOutOfRangeError(7, range(2, 5)), "offset 7 is outside 2..5"),
        (errors.DamagedError("/a", "cut"), "/a is damaged: cut"),
        (errors.ChildDiedError(-11), "the process that read it ended with signal 11"),
        (errors.ChildDiedError(3), "the process that read it ended with code 3"),
        (errors.RowCorruptError("messages", b"\x01\xff"), "row 01ff of messages is damaged"),
        (
            errors.RebuildingError(5, 9),
            "the state is being rebuilt: 5 of 9 records done",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AiryError) else "",
)
def test_an_error_says_what_happened(error: AiryError, text: str) -> None:
    assert str(error) == text


def test_the_tree_that_opens_the_module_names_every_error() -> None:
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in MADE if kind.__name__ not in errors.__doc__] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, while it is imported
def test_no_module_keeps_an_error() -> None:
    """An error that is raised again and again keeps the frames of every time."""
    names = [
        each.name
        for each in pkgutil.walk_packages(airy_ray.__path__, "airy_ray.")
        if not each.name.endswith("__main__")
    ]
    kept = [
        f"{name}.{attribute}"
        for name in names
        for attribute, value in vars(importlib.import_module(name)).items()
        if isinstance(value, BaseException)
    ]

    assert kept == []
