"""Documents written to an index: given up and written again, committed together."""

from collections.abc import Iterable
from pathlib import Path

import tantivy

from airy_ray.model.ids import format_id
from airy_ray.state.search.documents import ConversationDocument, MessageDocument
from airy_ray.state.search.index import (
    CONVERSATIONS,
    HEAP_BYTES,
    ID_HALVES,
    MESSAGES,
    explaining,
    open_index,
)


class IndexWriter:
    """Writes to both indexes of a state. One thread uses it; one of them exists at a time.

    It takes memory and threads while it is open, so it is closed when there is nothing to write.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers: dict[str, tantivy.IndexWriter] = {}
        self._dirty: set[str] = set()

    def put_conversation(self, document: ConversationDocument, *, is_new: bool = False) -> None:
        """Write a conversation; `is_new` if it surely is not there yet."""
        fields = tantivy.Document()
        fields.add_text("channel_id", document.channel_id)
        fields.add_text("source", document.source)
        fields.add_text("display_name", document.display_name)
        fields.add_text("display_name_ends", document.display_name_ends)
        fields.add_text("tag_ids", document.tag_ids)
        for text in document.metadata:
            fields.add_text("metadata", text)
        fields.add_integer("unread_count", document.unread_count)
        fields.add_integer("created_at", document.created_at)
        fields.add_integer("last_message_at", document.last_message_at)
        self._put(CONVERSATIONS, document.id, fields, is_new=is_new)

    def put_message(self, document: MessageDocument, *, is_new: bool = False) -> None:
        """Write a message; `is_new` if it surely is not there yet."""
        fields = tantivy.Document()
        fields.add_text("conversation", format_id(document.conversation))
        fields.add_text("text", document.text)
        fields.add_integer("rank", document.rank)
        self._put(MESSAGES, document.id, fields, is_new=is_new)

    def delete(self, name: str, identifiers: Iterable[bytes]) -> None:
        """Take documents away."""
        with explaining(self._directory):
            for identifier in identifiers:
                self._writer(name).delete_documents_by_term("id", format_id(identifier))

    def delete_messages_of(self, conversations: Iterable[bytes]) -> None:
        """Take away all messages of conversations that were written so far."""
        with explaining(self._directory):
            for identifier in conversations:
                writer = self._writer(MESSAGES)
                writer.delete_documents_by_term("conversation", format_id(identifier))

    def commit(self) -> None:
        """Make everything written so far durable, and seen by readers that look again."""
        with explaining(self._directory):
            for name in sorted(self._dirty):
                self._writers[name].commit()
        self._dirty.clear()

    def close(self) -> None:
        """Give up what was not committed, and everything else."""
        self._writers.clear()
        self._dirty.clear()

    def _put(self, name: str, identifier: bytes, fields: tantivy.Document, *, is_new: bool) -> None:
        named = format_id(identifier)
        fields.add_text("id", named)
        high, low = ID_HALVES
        fields.add_unsigned(high, int.from_bytes(identifier[:8], "big"))
        fields.add_unsigned(low, int.from_bytes(identifier[8:], "big"))
        with explaining(self._directory):
            writer = self._writer(name)
            if not is_new:
                writer.delete_documents_by_term("id", named)
            writer.add_document(fields)

    def _writer(self, name: str) -> tantivy.IndexWriter:
        self._dirty.add(name)
        present = self._writers.get(name)
        if present is None:
            index = open_index(self._directory, name, create=True)
            present = self._writers[name] = index.writer(HEAP_BYTES, 1)
        return present
