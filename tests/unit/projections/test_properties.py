"""What holds for any log, however its records come: late, twice, out of order, in any batches."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airy_ray.clock import Millis
from airy_ray.model import message as messages
from airy_ray.model.events import (
    ConversationRead,
    Event,
    MessageRecalled,
    MessageReceived,
    MessageReplaced,
    MessageSent,
)
from airy_ray.model.ids import ConversationId, MessageId, PartitionIndex
from airy_ray.partition.fold import encode_event, fold, understand
from airy_ray.rawlog.record import Record
from airy_ray.state.batch import Batch
from airy_ray.state.tables import ROW_TYPES, decoded
from tests import builders
from tests.builders import (
    attempted,
    channel_seen,
    conversation_described,
    conversation_read,
    echo_received,
    message_delivered,
    message_failed,
    message_recalled,
    message_received,
    message_replaced,
    message_sent,
    put_off,
    reaction_changed,
    receipt_received,
    waiting_for,
)
from tests.fakes import MemoryPartition, MemoryTables, MemoryView, folded

contacts = st.sampled_from(["ada", "bob"])
names = st.sampled_from(["m1", "m2", "m3", "m4"])
echoes = st.sampled_from(["e1", "e2"])
"""What our side wrote, through us or not: sends become known by these names too."""
sends = st.sampled_from(["s1", "s2"])
instants = st.integers(-2, 12)
numbers = st.integers(1, 3)
states: Any = st.sampled_from(["delivered", "seen"])
texts = st.sampled_from(["x", "y"])
received = st.builds(message_received, names, contact=contacts, sent_at=instants, text=texts)
replaced = st.builds(message_replaced, names, contact=contacts, at=instants, sent_at=instants)
our_side = {"contact": contacts, "sent_at": instants, "from_contact": st.just(False)}
metadata = st.dictionaries(
    st.sampled_from(["a", "a.b", "contact.display_name"]), st.sampled_from([b'"x"', b"1.0"])
)
occurrences: st.SearchStrategy[Event] = st.one_of(
    received,
    replaced,
    st.builds(message_received, echoes, **our_side),
    st.builds(message_replaced, echoes, at=instants, **our_side),
    st.builds(echo_received, echoes, **our_side),
    st.builds(message_recalled, names, contact=contacts, sent_at=instants, is_unread=st.booleans()),
    st.builds(message_recalled, echoes, **our_side),
    st.builds(message_sent, sends, contact=contacts, sent_at=instants),
    st.builds(message_delivered, sends, known_as=echoes, contact=contacts, at=instants),
    st.builds(message_failed, sends, contact=contacts, at=instants),
    st.builds(attempted, sends, number=numbers, courier=numbers, contact=contacts),
    st.builds(put_off, sends, number=numbers, contact=contacts),
    st.builds(
        message_delivered, sends, known_as=echoes, contact=contacts, at=instants, attempt=numbers
    ),
    st.builds(message_failed, sends, contact=contacts, at=instants, attempt=numbers),
    st.builds(
        reaction_changed,
        st.sampled_from(["👍", "❤️", None]),
        at=instants,
        to=names | echoes,
        contact=contacts,
    ),
    st.builds(
        receipt_received,
        states,
        names | echoes,
        up_to=st.none() | instants,
        and_earlier=st.booleans(),
        contact=contacts,
    ),
    st.builds(conversation_described, metadata, contact=contacts, at=instants),
    st.builds(conversation_read, at=instants, contact=contacts),
    st.builds(channel_seen, connected=st.booleans()),
    st.builds(waiting_for, st.just(bytes(builders.channel().id))),
)


@st.composite
def repeated(draw: st.DrawFn) -> list[Event]:
    """Draw a log in which anything may come again."""
    log = draw(st.lists(occurrences, max_size=25))
    again = draw(st.lists(st.sampled_from(log), max_size=5)) if log else []
    return draw(st.permutations([*log, *again]))


logs = repeated()


def records(log: Iterable[Event]) -> list[Record]:
    return [builders.record(encode_event(event), kind="outcome") for event in log]


def ran(log: Iterable[Event], onto: MemoryPartition | None = None) -> MemoryPartition:
    partition = MemoryPartition() if onto is None else onto
    for record in records(log):
        partition.append(record)
    return partition


def in_batches(log: list[Event], ends: Iterable[int]) -> MemoryTables:
    """Return what a log makes of a state when batches end at the given places."""
    tables = MemoryTables()
    understood = [
        understand(offset, record, PartitionIndex(0), 1)
        for offset, record in enumerate(records(log))
    ]
    for first, last in pairwise([0, *sorted(end % (len(log) + 1) for end in ends), len(log)]):
        batch = Batch(tables)
        for each in understood[first:last]:
            fold(batch, each)
        batch.write()
    return tables


@given(log=logs, cut=st.integers(0, 30))
def test_a_snapshot_plus_the_rest_is_the_whole_log(log: list[Event], cut: int) -> None:
    snapshot = ran(log[:cut]).copy()

    assert ran(log[cut:], onto=snapshot).tables.values == ran(log).tables.values


@given(log=logs, ends=st.lists(st.integers(0, 30), max_size=5))
def test_batches_make_no_difference(log: list[Event], ends: list[int]) -> None:
    assert in_batches(log, ends).values == ran(log).tables.values


@given(log=logs)
def test_what_is_replayed_is_what_was_live_byte_for_byte(log: list[Event]) -> None:
    assert ran(log).tables.values == ran(log).tables.values


@given(log=logs)
def test_a_view_in_memory_is_what_a_stored_one_is(log: list[Event]) -> None:
    """So that what other tests say of `MemoryView` is true of the state."""
    view = folded(*log)
    stored = ran(log)

    assert view.rows() == rows_of(stored)
    assert view.changes == [each for each in stored.changes() if each not in view.whispers]
    assert Counter(view.changes + view.whispers) == Counter(stored.changes())


@given(log=logs)
def test_the_feed_names_each_conversation_and_message_that_is_another_now(log: list[Event]) -> None:
    """So that who keeps copies of rows need not look at all of them."""
    partition = MemoryPartition()
    for record in records(log):
        before = shown_rows(partition)
        sequence = partition.applied << 16
        partition.append(record)
        after = shown_rows(partition)
        different = {each for each in before.keys() | after if before.get(each) != after.get(each)}
        assert different <= named_since(partition, sequence)


def shown_rows(partition: MemoryPartition) -> dict[bytes, Any]:
    """Return conversations and messages by id, without what nobody is shown."""
    view = partition.view
    shown: dict[bytes, Any] = {row.id: row for _, row in view.messages.under(b"")}
    for _, row in view.conversations.under(b""):
        shown[row.id] = replace(row, is_with_people=False, is_contactless=False)
    return shown


def named_since(partition: MemoryPartition, sequence: int) -> set[bytes | None]:
    rows = partition.tables.values["changes"]
    changes = [decoded("changes", key, rows[key]) for key in rows if key >= sequence.to_bytes(8)]
    return {each for change in changes for each in (change.conversation_id, change.message_id)}


def rows_of(partition: MemoryPartition) -> dict[str, dict[bytes, Any]]:
    return {
        name: {key: decoded(name, key, value) for key, value in rows.items()}
        for name, rows in partition.tables.values.items()
        if rows and name in ROW_TYPES and name not in ("changes", "ledger", "outbox")
    }


@given(log=logs, last=occurrences.filter(lambda event: not is_of_its_offset(event)))
def test_a_record_folded_twice_changes_nothing(log: list[Event], last: Event) -> None:
    once = folded(*log, last)
    rows = once.rows()

    assert folded(last, onto=once).rows() == rows


def is_of_its_offset(event: Event) -> bool:
    """Whether an event is about the record that it came in: another record, another effect."""
    return type(event).__name__ == "WaitingFor"


@given(log=logs, data=st.data())
def test_a_message_that_comes_again_at_any_time_changes_nothing_and_is_not_told(
    log: list[Event], data: st.DataObject
) -> None:
    told = [event for event in log if isinstance(event, MessageReceived)]
    later = data.draw(st.lists(st.sampled_from(told), max_size=4)) if told else []
    view = folded(*log)
    rows, changes = view.rows(), len(view.changes)

    assert folded(*later, onto=view).rows() == rows
    assert len(view.changes) == changes


@settings(max_examples=200)
@given(log=logs)
def test_the_unread_count_is_the_number_of_unread_messages(log: list[Event]) -> None:
    view = folded(*log)
    expected = unread_of(log)

    for key, conversation in view.conversations.under(b""):
        unread = {MessageId(row[16:]) for row, _ in view.unread.under(key)}
        assert unread == expected.get(ConversationId(key), set())
        assert (conversation.unread_count or 0) == len(unread)


def unread_of(log: Iterable[Event]) -> dict[ConversationId, set[MessageId]]:
    """Return what nobody has read, by the plainest reading of the contract (§4.4)."""
    known: set[MessageId] = set()
    unread: dict[ConversationId, dict[MessageId, Millis]] = {}
    for event in log:
        match event:
            case MessageReceived(message=message) | MessageRecalled(message=message) if (
                message.from_contact
            ):
                is_read = isinstance(event, MessageRecalled) and not event.is_unread
                if message.id not in known and not is_read:
                    unread.setdefault(message.conversation_id, {})[message.id] = message.sent_at
                known.add(message.id)
            case MessageReceived(message=message) | MessageReplaced(message=message):
                known.add(message.id)
            case ConversationRead(conversation_id=conversation, at=at):
                kept = unread.get(conversation, {}).items()
                unread[conversation] = {key: sent for key, sent in kept if sent >= at}
    return {conversation: set(messages) for conversation, messages in unread.items()}


@settings(max_examples=200)
@given(log=logs)
def test_each_message_is_there_once_and_newest_first(log: list[Event]) -> None:
    view = folded(*log)
    stored = view.messages.under(b"")
    times: dict[bytes, list[int]] = {}
    for _, message in stored:
        times.setdefault(message.conversation_id, []).append(message.sent_at)

    assert {message.id: key for key, message in stored} == dict(view.message_keys.under(b""))
    assert len({message.id for _, message in stored}) == len(stored)
    assert all(sent == sorted(sent, reverse=True) for sent in times.values())
    assert {key: each.message_count for key, each in view.conversations.under(b"")} == {
        key: len(sent) for key, sent in times.items()
    }


@settings(max_examples=200)
@given(log=logs)
def test_the_list_has_each_conversation_once_by_its_last_message(log: list[Event]) -> None:
    view = folded(*log)
    listed = [key[8:] for key, _ in view.conversations_by_time.under(b"")]
    last = {key: last_message_at(view, key) for key, _ in view.conversations.under(b"")}

    assert sorted(listed) == sorted(last)
    assert [last[key] for key in listed] == sorted(last.values(), reverse=True)
    for key, conversation in view.conversations.under(b""):
        assert conversation.last_message_at == last[key]


def last_message_at(view: MemoryView, conversation: bytes) -> Millis:
    return max(message.sent_at for _, message in view.messages.under(conversation))


@given(log=logs)
def test_the_last_message_is_shown_as_it_is_in_the_list_of_messages(log: list[Event]) -> None:
    view = folded(*log)

    for _, conversation in view.conversations.under(b""):
        key = view.message_keys.get(conversation.last_message_id)
        stored = None if key is None else view.messages.get(key)
        assert stored is not None
        shown = conversation.last_message + messages.sender(conversation.last_sender_id)
        assert shown == messages.rendered(stored)


@given(log=logs)
def test_what_is_expected_to_be_seen_are_messages_of_ours(log: list[Event]) -> None:
    view = folded(*log)
    ours = {message.id for _, message in view.messages.under(b"") if not message.from_contact}

    assert {MessageId(key[25:]) for key, _ in view.unseen.under(b"")} <= ours


@given(log=logs)
def test_what_is_sent_stays_to_be_sent_until_there_is_an_outcome(log: list[Event]) -> None:
    view = folded(*log)
    pending = {
        message.id for _, message in view.messages.under(b"") if message.delivery_state == "pending"
    }

    assert {key for key, _ in view.sends.under(b"")} == pending
    assert pending <= {event.message.id for event in log if isinstance(event, MessageSent)}


@given(log=logs, order=st.randoms(use_true_random=False))
def test_messages_are_the_same_in_whatever_order_they_come(log: list[Event], order: Any) -> None:
    """Of one id there is one text here: where there are two, the first wins."""
    told = {event.message.id: event for event in log if isinstance(event, MessageReceived)}
    one, other = list(told.values()), list(told.values())
    order.shuffle(other)

    assert folded(*one).messages.under(b"") == folded(*other).messages.under(b"")
