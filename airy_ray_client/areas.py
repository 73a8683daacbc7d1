"""The endpoints, area by area.

Made of the API's description by `make clients`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from uuid import UUID

from airy_ray_client import arguments, models
from airy_ray_client.calls import Calls
from airy_ray_client.model import nothing
from airy_ray_client.paging import each


class Channels:
    """The endpoints `/channels.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.chatplugin = ChannelsChatplugin(calls)
        self.facebook = ChannelsFacebook(calls)
        self.google = ChannelsGoogle(calls)
        self.instagram = ChannelsInstagram(calls)

    def list(self, *, source: str | None = None) -> models.ChannelList:
        """Return the connected channels, by id."""
        return self._calls.ask(
            "/channels.list", {"source": source}, models.ChannelList.model_validate_json
        )

    def each(self, *, source: str | None = None) -> Iterator[models.Channel]:
        """Go through all that `list` lists."""
        yield from self.list(source=source).data

    def info(self, *, channel_id: UUID | str) -> models.Channel:
        """Return a connected channel."""
        return self._calls.ask(
            "/channels.info", {"channel_id": channel_id}, models.Channel.model_validate_json
        )

    def update(
        self,
        *,
        channel_id: UUID | str,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Set what a channel is called."""
        return self._calls.command(
            "/channels.update",
            {"channel_id": channel_id, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )


class ChannelsChatplugin:
    """The endpoints `/channels.chatplugin.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def connect(
        self, *, name: str, image_url: str | None = None, idempotency_key: str | None = None
    ) -> models.Channel:
        """Make a new channel for a website."""
        return self._calls.command(
            "/channels.chatplugin.connect",
            {"name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Stop using a channel; one that is not connected is not found, as the reference has it."""
        self._calls.command(
            "/channels.chatplugin.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )


class ChannelsFacebook:
    """The endpoints `/channels.facebook.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def connect(
        self,
        *,
        page_id: str,
        page_token: str,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use a page as a channel: get a token that lasts, and subscribe to the page's events."""
        return self._calls.command(
            "/channels.facebook.connect",
            {"page_id": page_id, "page_token": page_token, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a Facebook page.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.
        """
        self._calls.command(
            "/channels.facebook.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )


class ChannelsGoogle:
    """The endpoints `/channels.google.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def connect(
        self,
        *,
        gbm_id: str,
        name: str,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use an agent as a channel."""
        return self._calls.command(
            "/channels.google.connect",
            {"gbm_id": gbm_id, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a Google agent.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.
        """
        self._calls.command(
            "/channels.google.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )


class ChannelsInstagram:
    """The endpoints `/channels.instagram.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def connect(
        self,
        *,
        page_id: str,
        page_token: str,
        account_id: str,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use an Instagram account as a channel: its events are those of its page."""
        return self._calls.command(
            "/channels.instagram.connect",
            {
                "page_id": page_id,
                "page_token": page_token,
                "account_id": account_id,
                "name": name,
                "image_url": image_url,
            },
            models.Channel.model_validate_json,
            idempotency_key,
        )

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect an Instagram account.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.
        """
        self._calls.command(
            "/channels.instagram.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )


class Chatplugin:
    """The endpoints `/chatplugin.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def authenticate(
        self, *, channel_id: UUID | str | None = None, resume_token: str | None = None
    ) -> models.VisitorEntered:
        """Let a visitor in.

        Let a visitor in: on a conversation that begins with the first message, or one that was.
        """
        return self._calls.ask(
            "/chatplugin.authenticate",
            {"channel_id": channel_id, "resume_token": resume_token},
            models.VisitorEntered.model_validate_json,
        )

    def resume_token(
        self, *, channel_id: str | None = None, conversation_id: str | None = None
    ) -> models.ComeBack:
        """Return a token with which the visitor can come back."""
        return self._calls.ask(
            "/chatplugin.resumeToken",
            {"channel_id": channel_id, "conversation_id": conversation_id},
            models.ComeBack.model_validate_json,
        )

    def send(self, *, message: Any, idempotency_key: str | None = None) -> models.Message:
        """Store what a visitor writes; the conversation begins with the first message.

        Args:
            message: Any JSON but null; kept as it is.
        """
        return self._calls.command(
            "/chatplugin.send",
            {"message": message},
            models.Message.model_validate_json,
            idempotency_key,
        )


class Client:
    """The endpoints `/client.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def config(self) -> models.ClientConfig:
        """Return what runs here, how tags look, and the version."""
        return self._calls.ask("/client.config", {}, models.ClientConfig.model_validate_json)


class Conversations:
    """The endpoints `/conversations.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self, *, filters: str | None = None, cursor: str | None = None, page_size: int | None = None
    ) -> models.ConversationPage:
        """Return a page of conversations, by their last message, newest first.

        Args:
            filters: Not supported yet: null.
            cursor: `next_cursor` of the page before; or an offset, which does not hold still.
        """
        return self._calls.ask(
            "/conversations.list",
            {"filters": filters, "cursor": cursor, "page_size": page_size},
            models.ConversationPage.model_validate_json,
        )

    def each(
        self, *, filters: str | None = None, page_size: int | None = None
    ) -> Iterator[models.Conversation]:
        """Go through all that `list` lists, page by page."""
        return each(lambda cursor: self.list(filters=filters, page_size=page_size, cursor=cursor))

    def info(self, *, conversation_id: UUID | str) -> models.Conversation:
        """Return one conversation."""
        return self._calls.ask(
            "/conversations.info",
            {"conversation_id": conversation_id},
            models.Conversation.model_validate_json,
        )

    def mark_read(self, *, conversation_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Mark all that the contact wrote until now as read."""
        self._calls.command(
            "/conversations.mark-read",
            {"conversation_id": conversation_id},
            nothing,
            idempotency_key,
        )

    def tag(
        self, *, conversation_id: UUID | str, tag_id: UUID | str, idempotency_key: str | None = None
    ) -> None:
        """Put a tag to a conversation. Whether there is such a tag is not checked."""
        self._calls.command(
            "/conversations.tag",
            {"conversation_id": conversation_id, "tag_id": tag_id},
            nothing,
            idempotency_key,
        )

    def untag(
        self, *, conversation_id: UUID | str, tag_id: UUID | str, idempotency_key: str | None = None
    ) -> None:
        """Take a tag from a conversation, if it has it."""
        self._calls.command(
            "/conversations.untag",
            {"conversation_id": conversation_id, "tag_id": tag_id},
            nothing,
            idempotency_key,
        )

    def set_state(
        self, *, conversation_id: UUID | str, state: str, idempotency_key: str | None = None
    ) -> None:
        """Set the state of a conversation; user interfaces know `OPEN` and `CLOSED`."""
        self._calls.command(
            "/conversations.set-state",
            {"conversation_id": conversation_id, "state": state},
            nothing,
            idempotency_key,
        )

    def remove_state(
        self, *, conversation_id: UUID | str, idempotency_key: str | None = None
    ) -> None:
        """Leave a conversation without a state, which counts as `OPEN`."""
        self._calls.command(
            "/conversations.remove-state",
            {"conversation_id": conversation_id},
            nothing,
            idempotency_key,
        )

    def update_contact(
        self, *, conversation_id: UUID | str, display_name: str, idempotency_key: str | None = None
    ) -> None:
        """Set what a conversation calls its contact."""
        self._calls.command(
            "/conversations.update-contact",
            {"conversation_id": conversation_id, "display_name": display_name},
            nothing,
            idempotency_key,
        )

    def refetch(self, *, conversation_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Have the contact's profile fetched from its source again, where that can be asked."""
        self._calls.command(
            "/conversations.refetch", {"conversation_id": conversation_id}, nothing, idempotency_key
        )


class Messages:
    """The endpoints `/messages.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self,
        *,
        conversation_id: UUID | str,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> models.MessagePage:
        """Return a page of a conversation's messages, newest first."""
        return self._calls.ask(
            "/messages.list",
            {"conversation_id": conversation_id, "cursor": cursor, "page_size": page_size},
            models.MessagePage.model_validate_json,
        )

    def each(
        self, *, conversation_id: UUID | str, page_size: int | None = None
    ) -> Iterator[models.Message]:
        """Go through all that `list` lists, page by page."""
        return each(
            lambda cursor: self.list(
                conversation_id=conversation_id, page_size=page_size, cursor=cursor
            )
        )

    def send(
        self,
        *,
        message: Any,
        conversation_id: UUID | str | None = None,
        channel_id: UUID | str | None = None,
        source_recipient_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Message:
        """Send a message to a contact: in a conversation, or as the first of one on a channel.

        It is `pending` until its source has taken it. To a conversation that is not known yet it is
        sent once that appears within 30 seconds (202); else its metadata tells the `error`.

        Args:
            message: Any JSON but null, in the source's own form.
            channel_id: With `source_recipient_id`.
            source_recipient_id: Whom the source writes to.
        """
        return self._calls.command(
            "/messages.send",
            {
                "message": message,
                "conversation_id": conversation_id,
                "channel_id": channel_id,
                "source_recipient_id": source_recipient_id,
            },
            models.Message.model_validate_json,
            idempotency_key,
        )

    def resend(self, *, message_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Send a message that failed once more."""
        self._calls.command(
            "/messages.resend", {"message_id": message_id}, nothing, idempotency_key
        )

    def suggest_replies(
        self,
        *,
        message_id: UUID | str,
        suggestions: Mapping[str, arguments.Suggestion] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Message:
        """Propose answers to a message; those proposed before stay."""
        return self._calls.command(
            "/messages.suggest-replies",
            {"message_id": message_id, "suggestions": suggestions},
            models.Message.model_validate_json,
            idempotency_key,
        )


class Metadata:
    """The endpoints `/metadata.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def upsert(
        self,
        *,
        subject: Literal["conversation", "message", "channel"],
        id: UUID | str,
        data: Mapping[str, Any],
        idempotency_key: str | None = None,
    ) -> None:
        """Set values under `user_data` in the metadata of something; values not named stay.

        The subject need not exist yet. Objects are merged; arrays are set as a whole.
        """
        self._calls.command(
            "/metadata.upsert",
            {"subject": subject, "id": id, "data": data},
            nothing,
            idempotency_key,
        )


class Tags:
    """The endpoints `/tags.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(
        self,
        *,
        name: str,
        color: Literal["tag-blue", "tag-red", "tag-green", "tag-purple"],
        idempotency_key: str | None = None,
    ) -> models.Tag:
        """Make a tag."""
        return self._calls.command(
            "/tags.create",
            {"name": name, "color": color},
            models.Tag.model_validate_json,
            idempotency_key,
        )

    def list(self) -> models.TagList:
        """Return all tags, by id."""
        return self._calls.ask("/tags.list", {}, models.TagList.model_validate_json)

    def each(self) -> Iterator[models.Tag]:
        """Go through all that `list` lists."""
        yield from self.list().data

    def update(
        self,
        *,
        id: UUID | str,
        name: str | None = None,
        color: Literal["tag-blue", "tag-red", "tag-green", "tag-purple"] | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Change a tag."""
        self._calls.command(
            "/tags.update", {"id": id, "name": name, "color": color}, nothing, idempotency_key
        )

    def delete(self, *, id: UUID | str, idempotency_key: str | None = None) -> None:
        """Delete a tag; conversations that have it keep its id."""
        self._calls.command("/tags.delete", {"id": id}, nothing, idempotency_key)


class Templates:
    """The endpoints `/templates.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(
        self, *, name: str, source: str, content: Any, idempotency_key: str | None = None
    ) -> models.Template:
        """Make a template.

        Args:
            content: Any JSON but null, in the source's own form.
        """
        return self._calls.command(
            "/templates.create",
            {"name": name, "source": source, "content": content},
            models.Template.model_validate_json,
            idempotency_key,
        )

    def list(self, *, source: str, name: str | None = None) -> models.TemplateList:
        """Return the templates of a source, by id.

        Args:
            name: A part of the name; its case matters.
        """
        return self._calls.ask(
            "/templates.list",
            {"source": source, "name": name},
            models.TemplateList.model_validate_json,
        )

    def each(self, *, source: str, name: str | None = None) -> Iterator[models.Template]:
        """Go through all that `list` lists."""
        yield from self.list(source=source, name=name).data

    def info(self, *, id: UUID | str) -> models.Template:
        """Return a template."""
        return self._calls.ask("/templates.info", {"id": id}, models.Template.model_validate_json)

    def update(
        self,
        *,
        id: UUID | str,
        name: str | None = None,
        source: str | None = None,
        content: Any = None,
        idempotency_key: str | None = None,
    ) -> models.Template:
        """Change a template.

        Args:
            content: Any JSON but null, in the source's own form.
        """
        return self._calls.command(
            "/templates.update",
            {"id": id, "name": name, "source": source, "content": content},
            models.Template.model_validate_json,
            idempotency_key,
        )

    def delete(self, *, id: UUID | str, idempotency_key: str | None = None) -> None:
        """Delete a template."""
        self._calls.command("/templates.delete", {"id": id}, nothing, idempotency_key)


class Areas:
    """All areas of the API."""

    def __init__(self, calls: Calls) -> None:
        self.channels = Channels(calls)
        self.chatplugin = Chatplugin(calls)
        self.client = Client(calls)
        self.conversations = Conversations(calls)
        self.messages = Messages(calls)
        self.metadata = Metadata(calls)
        self.tags = Tags(calls)
        self.templates = Templates(calls)
