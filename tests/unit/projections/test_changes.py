import json

from airy_ray.model.events import RecordsLost
from tests import builders
from tests.builders import message_received, reaction_changed
from tests.fakes import folded


def test_records_that_were_lost_are_named_in_the_feed() -> None:
    [change] = folded(RecordsLost(3, 9), at=77).changes

    assert json.loads(change.event) == {
        "type": "records.lost",
        "timestamp": 77,
        "payload": {"first_offset": 3, "last_offset": 9},
    }


def test_a_change_says_whose_it_is() -> None:
    view = folded(message_received("m1"), reaction_changed("👍", at=1))
    subjects = [(each.kind, each.conversation_id, each.message_id) for each in view.changes]
    ada, message = builders.conversation_id(), builders.message_id("m1")

    assert subjects == [
        ("message.created", ada, message),
        ("metadata.updated", ada, None),
        ("metadata.updated", ada, message),
    ]


def test_metadata_of_a_message_that_is_still_to_come_is_told_with_its_conversation() -> None:
    [change] = folded(reaction_changed("👍", at=1)).changes

    assert change.conversation_id == builders.conversation_id()


def test_an_emptied_document_is_not_told() -> None:
    view = folded(reaction_changed("👍", at=1), reaction_changed(None, at=2))

    assert len(view.changes) == 1
