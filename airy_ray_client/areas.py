"""The endpoints, area by area.

Made of the API's description by `make clients`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from airy_ray_client import arguments, models
from airy_ray_client.calls import Calls, Upload
from airy_ray_client.model import as_it_is, nothing
from airy_ray_client.paging import each


class Audit:
    """The endpoints `/audit.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self,
        *,
        principal: str | None = None,
        action: str | None = None,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> models.AuditPage:
        """Return who had what done, newest first, without what messages say.

        Scope: `manage`.
        """
        return self._calls.ask(
            "/audit.list",
            {
                "principal": principal,
                "action": action,
                "since": since,
                "until": until,
                "cursor": cursor,
                "page_size": page_size,
            },
            models.AuditPage.model_validate_json,
        )

    def each(
        self,
        *,
        principal: str | None = None,
        action: str | None = None,
        since: str | None = None,
        until: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[models.AuditEntry]:
        """Go through all that `list` lists, page by page."""
        return each(
            lambda cursor: self.list(
                principal=principal,
                action=action,
                since=since,
                until=until,
                page_size=page_size,
                cursor=cursor,
            )
        )


class Channels:
    """The endpoints `/channels.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.chatplugin = ChannelsChatplugin(calls)
        self.facebook = ChannelsFacebook(calls)
        self.google = ChannelsGoogle(calls)
        self.instagram = ChannelsInstagram(calls)
        self.telegram = ChannelsTelegram(calls)
        self.twilio = ChannelsTwilio(calls)
        self.viber = ChannelsViber(calls)
        self.whatsapp = ChannelsWhatsapp(calls)

    def list(self, *, source: str | None = None) -> models.ChannelList:
        """Return the connected channels, by id.

        Scope: `read`.
        """
        return self._calls.ask(
            "/channels.list", {"source": source}, models.ChannelList.model_validate_json
        )

    def each(self, *, source: str | None = None) -> Iterator[models.Channel]:
        """Go through all that `list` lists."""
        yield from self.list(source=source).data

    def info(self, *, channel_id: UUID | str) -> models.Channel:
        """Return a connected channel.

        Scope: `read`.
        """
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
        """Set what a channel is called.

        Scope: `manage`.
        """
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

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Stop using a channel; one that is not connected is not found, as the reference has it.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.chatplugin.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

    def connect(
        self, *, name: str, image_url: str | None = None, idempotency_key: str | None = None
    ) -> models.Channel:
        """Make a new channel for a website.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.chatplugin.connect",
            {"name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )


class ChannelsFacebook:
    """The endpoints `/channels.facebook.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.facebook.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

    def connect(
        self,
        *,
        page_id: str,
        page_token: str,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use a page as a channel: get a token that lasts, and subscribe to the page's events.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.facebook.connect",
            {"page_id": page_id, "page_token": page_token, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )

    def explore(self, *, auth_token: str) -> models.FacebookPageList:
        """Return the pages that somebody manages, and which of them are connected here.

        Scope: `manage`.
        """
        return self._calls.ask(
            "/channels.facebook.explore",
            {"auth_token": auth_token},
            models.FacebookPageList.model_validate_json,
        )

    def each_explore(self, *, auth_token: str) -> Iterator[models.FacebookPage]:
        """Go through all that `explore` lists."""
        yield from self.explore(auth_token=auth_token).data


class ChannelsGoogle:
    """The endpoints `/channels.google.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.google.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

    def connect(
        self,
        *,
        gbm_id: str,
        name: str,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use an agent as a channel.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.google.connect",
            {"gbm_id": gbm_id, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )


class ChannelsInstagram:
    """The endpoints `/channels.instagram.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.instagram.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

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
        """Use an Instagram account as a channel: its events are those of its page.

        Scope: `manage`.
        """
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


class ChannelsTelegram:
    """The endpoints `/channels.telegram.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.telegram.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

    def connect(
        self,
        *,
        bot_token: str,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use a bot as a channel: have its updates sent here.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.telegram.connect",
            {"bot_token": bot_token, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )


class ChannelsTwilio:
    """The endpoints `/channels.twilio.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.sms = ChannelsTwilioSms(calls)
        self.whatsapp = ChannelsTwilioWhatsapp(calls)


class ChannelsTwilioSms:
    """The endpoints `/channels.twilio.sms.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.twilio.sms.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

    def connect(
        self,
        *,
        phone_number: str,
        name: str,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use a phone number as a channel for SMS.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.twilio.sms.connect",
            {"phone_number": phone_number, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )


class ChannelsTwilioWhatsapp:
    """The endpoints `/channels.twilio.whatsapp.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.twilio.whatsapp.disconnect",
            {"channel_id": channel_id},
            nothing,
            idempotency_key,
        )

    def connect(
        self,
        *,
        phone_number: str,
        name: str,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use a phone number as a channel for WhatsApp through Twilio.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.twilio.whatsapp.connect",
            {"phone_number": phone_number, "name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )


class ChannelsViber:
    """The endpoints `/channels.viber.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.viber.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

    def connect(
        self,
        *,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use the bot in the settings as a channel: have its events sent here.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.viber.connect",
            {"name": name, "image_url": image_url},
            models.Channel.model_validate_json,
            idempotency_key,
        )


class ChannelsWhatsapp:
    """The endpoints `/channels.whatsapp.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Disconnect a channel.

        Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

        What its platform has to be told it is told first; if that fails, nothing has changed.

        Scope: `manage`.
        """
        self._calls.command(
            "/channels.whatsapp.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
        )

    def connect(
        self,
        *,
        phone_number_id: str,
        user_token: str,
        name: str,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Use a phone number of the Cloud API as a channel: get a token that lasts.

        Scope: `manage`.
        """
        return self._calls.command(
            "/channels.whatsapp.connect",
            {
                "phone_number_id": phone_number_id,
                "user_token": user_token,
                "name": name,
                "image_url": image_url,
            },
            models.Channel.model_validate_json,
            idempotency_key,
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
        """Return what runs here, how tags look, and the version.

        Scope: `read`.
        """
        return self._calls.ask("/client.config", {}, models.ClientConfig.model_validate_json)


class Components:
    """The endpoints `/components.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> models.Components:
        """Return all components, by name.

        Scope: `manage`.
        """
        return self._calls.ask("/components.list", {}, models.Components.model_validate_json)

    def get(self) -> models.ComponentSettings:
        """Return how each component is set up, by name; secrets are masked.

        Scope: `manage`.
        """
        return self._calls.ask("/components.get", {}, models.ComponentSettings.model_validate_json)


class Contacts:
    """The endpoints `/contacts.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(
        self,
        *,
        display_name: str | None = None,
        avatar_url: str | None = None,
        title: str | None = None,
        gender: str | None = None,
        timezone: int | None = None,
        locale: str | None = None,
        organization_name: str | None = None,
        via: Mapping[str, str | None] | None = None,
        address: arguments.Address | None = None,
        conversations: Mapping[str, str | None] | None = None,
        metadata: Any = None,
        idempotency_key: str | None = None,
    ) -> models.Contact:
        """Make a contact. Conversations that it names become its own, whoever had them.

        Scope: `write`.

        Args:
            timezone: Relative to GMT.
            via: Such as `phone` and `email`.
            conversations: Id to source.
            metadata: Any JSON.
        """
        return self._calls.command(
            "/contacts.create",
            {
                "display_name": display_name,
                "avatar_url": avatar_url,
                "title": title,
                "gender": gender,
                "timezone": timezone,
                "locale": locale,
                "organization_name": organization_name,
                "via": via,
                "address": address,
                "conversations": conversations,
                "metadata": metadata,
            },
            models.Contact.model_validate_json,
            idempotency_key,
        )

    def import_(
        self, *, contacts: Sequence[arguments.NewContact], idempotency_key: str | None = None
    ) -> models.ContactList:
        """Make many contacts, each as `contacts.create` does.

        All are checked before the first is made. With an `Idempotency-Key` the request may be
        repeated if its answer did not come: what was made is not made twice.

        Scope: `write`.

        Args:
            contacts: Many contacts.
        """
        return self._calls.command(
            "/contacts.import", contacts, models.ContactList.model_validate_json, idempotency_key
        )

    def each_import_(self, *, contacts: Sequence[arguments.NewContact]) -> Iterator[models.Contact]:
        """Go through all that `import_` lists."""
        yield from self.import_(contacts=contacts).data

    def list(
        self, *, cursor: str | None = None, page_size: int | None = None
    ) -> models.ContactPage:
        """Return a page of contacts, by name; those without one come last.

        Scope: `read`.

        Args:
            cursor: `next_cursor` of the page before.
        """
        return self._calls.ask(
            "/contacts.list",
            {"cursor": cursor, "page_size": page_size},
            models.ContactPage.model_validate_json,
        )

    def each(self, *, page_size: int | None = None) -> Iterator[models.Contact]:
        """Go through all that `list` lists, page by page."""
        return each(lambda cursor: self.list(page_size=page_size, cursor=cursor))

    def info(
        self, *, id: UUID | str | None = None, conversation_id: UUID | str | None = None
    ) -> models.Contact:
        """Return a contact; if both are given, `id` says which.

        Scope: `read`.
        """
        return self._calls.ask(
            "/contacts.info",
            {"id": id, "conversation_id": conversation_id},
            models.Contact.model_validate_json,
        )

    def update(
        self,
        *,
        id: UUID | str,
        display_name: str | None = None,
        avatar_url: str | None = None,
        title: str | None = None,
        gender: str | None = None,
        timezone: int | None = None,
        locale: str | None = None,
        organization_name: str | None = None,
        via: Mapping[str, str | None] | None = None,
        address: arguments.Address | None = None,
        conversations: Mapping[str, str | None] | None = None,
        metadata: Any = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Change a contact. What is null or not given stays; an empty text deletes.

        `via` and `conversations` are changed key by key, `address` field by field.

        Scope: `write`.

        Args:
            timezone: Relative to GMT.
            via: Such as `phone` and `email`.
            conversations: Id to source.
            metadata: Any JSON.
        """
        self._calls.command(
            "/contacts.update",
            {
                "id": id,
                "display_name": display_name,
                "avatar_url": avatar_url,
                "title": title,
                "gender": gender,
                "timezone": timezone,
                "locale": locale,
                "organization_name": organization_name,
                "via": via,
                "address": address,
                "conversations": conversations,
                "metadata": metadata,
            },
            nothing,
            idempotency_key,
        )

    def delete(self, *, id: UUID | str, idempotency_key: str | None = None) -> None:
        """Delete a contact. The next message in one of its conversations makes a new one.

        An id that only leads to the contact it was merged into deletes nothing.

        Scope: `write`.
        """
        self._calls.command("/contacts.delete", {"id": id}, nothing, idempotency_key)

    def merge(
        self,
        *,
        source_id: UUID | str,
        destination_id: UUID | str,
        idempotency_key: str | None = None,
    ) -> models.MergedContact:
        """Merge a contact into another one, and show that with all whom it ever took over.

        What the destination says of itself stays; what it lacks comes from the source: fields,
        address field by field, `via` and `metadata` as a whole. The conversations of both are its
        own.

        Scope: `write`.
        """
        return self._calls.command(
            "/contacts.merge",
            {"source_id": source_id, "destination_id": destination_id},
            models.MergedContact.model_validate_json,
            idempotency_key,
        )

    def unmerge(
        self,
        *,
        source_id: UUID | str,
        destination_id: UUID | str,
        idempotency_key: str | None = None,
    ) -> models.Contact:
        """Take a contact out of the one that it was merged into, and show it as it was before.

        Its conversations are its own again, and the other one loses what it had from it.

        Scope: `write`.
        """
        return self._calls.command(
            "/contacts.unmerge",
            {"source_id": source_id, "destination_id": destination_id},
            models.Contact.model_validate_json,
            idempotency_key,
        )

    def recent_messages(
        self,
        *,
        contact_id: UUID | str,
        include_sources: Sequence[str] | None = None,
        page_size: int | None = None,
        cursors: Mapping[str, str | None] | None = None,
    ) -> models.MessagesByConversation:
        """Return a page of messages of each of a contact's conversations, newest first.

        Scope: `read`.

        Args:
            include_sources: Of these sources only, if any.
            cursors: Conversation id to `next_cursor` of its page before.
        """
        return self._calls.ask(
            "/contacts.recent-messages",
            {
                "contact_id": contact_id,
                "include_sources": include_sources,
                "page_size": page_size,
                "cursors": cursors,
            },
            models.MessagesByConversation.model_validate_json,
        )

    def erase(self, *, id: UUID | str, idempotency_key: str | None = None) -> models.Erasure:
        """Forget a person: the contact, those merged into it, all conversations and messages.

        They are gone from all answers at once, and from all files a while later. Asked again, it
        tells how far that is. There is no way back.

        Scope: `manage`.
        """
        return self._calls.command(
            "/contacts.erase", {"id": id}, models.Erasure.model_validate_json, idempotency_key
        )

    def erasure_status(self, *, id: UUID | str) -> models.Erasure:
        """Tell how far the erasure of a contact is.

        Scope: `manage`.
        """
        return self._calls.ask(
            "/contacts.erasure-status", {"id": id}, models.Erasure.model_validate_json
        )

    def export(self, *, id: UUID | str) -> bytes:
        """Return all that is kept of a contact, as files in a ZIP that is made while it is sent.

        What is shown of the person, files of their messages, and what the log says of them.

        Scope: `manage`.
        """
        return self._calls.ask("/contacts.export", {"id": id}, as_it_is)


class Conversations:
    """The endpoints `/conversations.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self, *, filters: str | None = None, cursor: str | None = None, page_size: int | None = None
    ) -> models.ConversationPage:
        """Return a page of conversations, all or filtered, by their last message, newest first.

        Scope: `read`.

        Args:
            filters: Which ones, in the syntax of Lucene: `unread_count:[1 TO *]`.
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
        """Return one conversation.

        Scope: `read`.
        """
        return self._calls.ask(
            "/conversations.info",
            {"conversation_id": conversation_id},
            models.Conversation.model_validate_json,
        )

    def mark_read(self, *, conversation_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Mark all that the contact wrote until now as read.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.mark-read",
            {"conversation_id": conversation_id},
            nothing,
            idempotency_key,
        )

    def tag(
        self, *, conversation_id: UUID | str, tag_id: UUID | str, idempotency_key: str | None = None
    ) -> None:
        """Put a tag to a conversation. Whether there is such a tag is not checked.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.tag",
            {"conversation_id": conversation_id, "tag_id": tag_id},
            nothing,
            idempotency_key,
        )

    def untag(
        self, *, conversation_id: UUID | str, tag_id: UUID | str, idempotency_key: str | None = None
    ) -> None:
        """Take a tag from a conversation, if it has it.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.untag",
            {"conversation_id": conversation_id, "tag_id": tag_id},
            nothing,
            idempotency_key,
        )

    def set_state(
        self, *, conversation_id: UUID | str, state: str, idempotency_key: str | None = None
    ) -> None:
        """Set the state of a conversation; user interfaces know `OPEN` and `CLOSED`.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.set-state",
            {"conversation_id": conversation_id, "state": state},
            nothing,
            idempotency_key,
        )

    def remove_state(
        self, *, conversation_id: UUID | str, idempotency_key: str | None = None
    ) -> None:
        """Leave a conversation without a state, which counts as `OPEN`.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.remove-state",
            {"conversation_id": conversation_id},
            nothing,
            idempotency_key,
        )

    def update_contact(
        self, *, conversation_id: UUID | str, display_name: str, idempotency_key: str | None = None
    ) -> None:
        """Set what a conversation calls its contact.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.update-contact",
            {"conversation_id": conversation_id, "display_name": display_name},
            nothing,
            idempotency_key,
        )

    def refetch(self, *, conversation_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Have the contact's profile fetched from its source again, where that can be asked.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.refetch", {"conversation_id": conversation_id}, nothing, idempotency_key
        )

    def typing(
        self,
        *,
        conversation_id: UUID | str,
        typing: bool | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Tell who is connected; it holds for ten seconds, and is kept nowhere.

        Scope: `write`.
        """
        self._calls.command(
            "/conversations.typing",
            {"conversation_id": conversation_id, "typing": typing},
            nothing,
            idempotency_key,
        )


class Facebook:
    """The endpoints `/facebook.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.channels = FacebookChannels(calls)


class FacebookChannels:
    """The endpoints `/facebook.channels.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def explore(self, *, auth_token: str) -> models.FacebookPageList:
        """Return the pages that somebody manages, and which of them are connected here.

        Scope: `manage`.
        """
        return self._calls.ask(
            "/facebook.channels.explore",
            {"auth_token": auth_token},
            models.FacebookPageList.model_validate_json,
        )

    def each_explore(self, *, auth_token: str) -> Iterator[models.FacebookPage]:
        """Go through all that `explore` lists."""
        yield from self.explore(auth_token=auth_token).data


class Ledger:
    """The endpoints `/ledger.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self,
        *,
        source: str | None = None,
        verdict: Literal["applied", "ignored", "quarantined"] | None = None,
        since: str | None = None,
        until: str | None = None,
        conversation_id: UUID | str | None = None,
        message_id: UUID | str | None = None,
        payload_id: str | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> models.LedgerPage:
        """Return what was received and what became of it, newest first, without what it says.

        A filter that leaves out most makes pages short, even empty; the last has no next cursor.
        Entries are kept for `limits.ledger_days`.

        Scope: `manage`.

        Args:
            source: `api` for commands.
            conversation_id: One of whose messages was made or changed.
        """
        return self._calls.ask(
            "/ledger.list",
            {
                "source": source,
                "verdict": verdict,
                "since": since,
                "until": until,
                "conversation_id": conversation_id,
                "message_id": message_id,
                "payload_id": payload_id,
                "cursor": cursor,
                "page_size": page_size,
            },
            models.LedgerPage.model_validate_json,
        )

    def each(
        self,
        *,
        source: str | None = None,
        verdict: Literal["applied", "ignored", "quarantined"] | None = None,
        since: str | None = None,
        until: str | None = None,
        conversation_id: UUID | str | None = None,
        message_id: UUID | str | None = None,
        payload_id: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[models.LedgerEntry]:
        """Go through all that `list` lists, page by page."""
        return each(
            lambda cursor: self.list(
                source=source,
                verdict=verdict,
                since=since,
                until=until,
                conversation_id=conversation_id,
                message_id=message_id,
                payload_id=payload_id,
                page_size=page_size,
                cursor=cursor,
            )
        )

    def info(self, *, id: str) -> models.LedgerRecord:
        """Return a record of the log with its body, as it came, if a source sent it.

        What people said who were erased since is not in it.

        Scope: `manage`.

        Args:
            id: Its partition and its offset there, as they are listed.
        """
        return self._calls.ask("/ledger.info", {"id": id}, models.LedgerRecord.model_validate_json)

    def resend(self, *, id: str, idempotency_key: str | None = None) -> None:
        """Have what a source sent taken in again, as if it came now: routed by today's channels.

        Nothing is doubled: the same body makes the same messages. It becomes a new record, which
        the ledger has under the same `payload_id`, with what became of it.

        Scope: `manage`.

        Args:
            id: Its partition and its offset there, as they are listed.
        """
        self._calls.command("/ledger.resend", {"id": id}, nothing, idempotency_key)


class Media:
    """The endpoints `/media.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def upload(self, *, file: Upload, idempotency_key: str | None = None) -> models.Uploaded:
        """Keep a file, and tell where anybody can fetch it.

        The same bytes with the same extension get the same address. With authentication on, a
        visitor's token is enough: the chat plugin sends files too. One that sends none gets 403, as
        the contract. An `Idempotency-Key` stands for one file: its bytes and its extension. A file
        stays, unless a rule of retention takes away all that links to it. Messages link to it in
        their source's own form. WhatsApp, Messenger, Instagram and Telegram are given the bytes;
        platforms that take links only have to reach the address.
        """
        return self._calls.upload(
            "/media.upload", {"file": file}, models.Uploaded.model_validate_json, idempotency_key
        )

    def upload_file(self, *, file: Upload, idempotency_key: str | None = None) -> models.Uploaded:
        """Keep a file, and tell where anybody can fetch it.

        The same bytes with the same extension get the same address. With authentication on, a
        visitor's token is enough: the chat plugin sends files too. One that sends none gets 403, as
        the contract. An `Idempotency-Key` stands for one file: its bytes and its extension. A file
        stays, unless a rule of retention takes away all that links to it. Messages link to it in
        their source's own form. WhatsApp, Messenger, Instagram and Telegram are given the bytes;
        platforms that take links only have to reach the address.
        """
        return self._calls.upload(
            "/media.uploadFile",
            {"file": file},
            models.Uploaded.model_validate_json,
            idempotency_key,
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
        """Return a page of a conversation's messages, newest first.

        Scope: `read`.
        """
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

        It is `pending` until its source has taken it (`delivered`) or has not (`failed`, with the
        reason in the metadata `error`), within 300 seconds. To a conversation that is not known yet
        it is sent once that appears within 30 seconds (202); else its metadata tells the `error`.

        Scope: `write`.

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
        """Send a message that failed once more.

        Scope: `write`.
        """
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
        """Propose answers to a message; those proposed before stay.

        Scope: `write`.
        """
        return self._calls.command(
            "/messages.suggest-replies",
            {"message_id": message_id, "suggestions": suggestions},
            models.Message.model_validate_json,
            idempotency_key,
        )

    def search(
        self,
        *,
        query: str,
        conversation_id: UUID | str | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> models.FoundMessagePage:
        """Return a page of the messages that hold some words, newest first, with where they do.

        Scope: `read`.

        Args:
            query: Words, all of which must occur; of the last the beginning.
            conversation_id: The only conversation to look in.
        """
        return self._calls.ask(
            "/messages.search",
            {
                "query": query,
                "conversation_id": conversation_id,
                "cursor": cursor,
                "page_size": page_size,
            },
            models.FoundMessagePage.model_validate_json,
        )

    def each_search(
        self, *, query: str, conversation_id: UUID | str | None = None, page_size: int | None = None
    ) -> Iterator[models.FoundMessage]:
        """Go through all that `search` lists, page by page."""
        return each(
            lambda cursor: self.search(
                query=query, conversation_id=conversation_id, page_size=page_size, cursor=cursor
            )
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

        Scope: `write`.
        """
        self._calls.command(
            "/metadata.upsert",
            {"subject": subject, "id": id, "data": data},
            nothing,
            idempotency_key,
        )


class Quarantine:
    """The endpoints `/quarantine.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self, *, cursor: str | None = None, page_size: int | None = None
    ) -> models.QuarantinePage:
        """Return the records whose projection failed, newest first.

        Such a record changed nothing, and those behind it were applied. What came in is kept.

        Scope: `manage`.
        """
        return self._calls.ask(
            "/quarantine.list",
            {"cursor": cursor, "page_size": page_size},
            models.QuarantinePage.model_validate_json,
        )

    def each(self, *, page_size: int | None = None) -> Iterator[models.QuarantinedRecord]:
        """Go through all that `list` lists, page by page."""
        return each(lambda cursor: self.list(page_size=page_size, cursor=cursor))

    def info(self, *, id: str) -> models.QuarantineFault:
        """Return why a record is in quarantine. What came in, `ledger.info` tells.

        Scope: `manage`.

        Args:
            id: Its partition and its offset there, as they are listed.
        """
        return self._calls.ask(
            "/quarantine.info", {"id": id}, models.QuarantineFault.model_validate_json
        )

    def retry(self, *, id: str, idempotency_key: str | None = None) -> None:
        """Take a record out of quarantine and have it folded again, as a new record.

        Should it fail again, that one is in quarantine. The ledger has it under the same
        `payload_id`.

        Scope: `manage`.

        Args:
            id: Its partition and its offset there, as they are listed.
        """
        self._calls.command("/quarantine.retry", {"id": id}, nothing, idempotency_key)

    def drop(self, *, id: str, idempotency_key: str | None = None) -> None:
        """Take a record out of quarantine for good. It stays in the log, and in the ledger.

        Scope: `manage`.

        Args:
            id: Its partition and its offset there, as they are listed.
        """
        self._calls.command("/quarantine.drop", {"id": id}, nothing, idempotency_key)


class Replay:
    """The endpoints `/replay.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def start(
        self,
        *,
        sources: Sequence[str] | None = None,
        channels: Sequence[UUID | str] | None = None,
        conversations: Sequence[UUID | str] | None = None,
        since: str | None = None,
        until: str | None = None,
        quarantined: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.ReplayStatus:
        """Process history again, to see what differs.

        Process history again, beside what there is; it ends with what differs, and changes nothing.

        Whole conversations, with all that belongs to the same people.

        Scope: `manage`.

        Args:
            since: Something was received since.
            until: Something was received before.
            quarantined: Something is in quarantine.
        """
        return self._calls.command(
            "/replay.start",
            {
                "sources": sources,
                "channels": channels,
                "conversations": conversations,
                "since": since,
                "until": until,
                "quarantined": quarantined,
            },
            models.ReplayStatus.model_validate_json,
            idempotency_key,
        )

    def status(self) -> models.ReplayStatus:
        """Tell how far the newest replay is, and what differs.

        Scope: `manage`.
        """
        return self._calls.ask("/replay.status", {}, models.ReplayStatus.model_validate_json)

    def generations(self) -> models.Generations:
        """List the generations of the rows that there are, and what each was made of.

        Scope: `manage`.
        """
        return self._calls.ask("/replay.generations", {}, models.Generations.model_validate_json)

    def swap(
        self, *, force: bool | None = None, idempotency_key: str | None = None
    ) -> models.ReplayStatus:
        """Put what a replay made in its place.

        Put what a replay made in place of what there is; who listens hears of what is different.

        Nothing is sent again and no webhook is called, but those that ask for corrections.

        Scope: `manage`.
        """
        return self._calls.command(
            "/replay.swap",
            {"force": force},
            models.ReplayStatus.model_validate_json,
            idempotency_key,
        )

    def cancel(self, *, idempotency_key: str | None = None) -> models.ReplayStatus:
        """Throw away what a replay has made so far.

        Scope: `manage`.
        """
        return self._calls.command(
            "/replay.cancel", {}, models.ReplayStatus.model_validate_json, idempotency_key
        )

    def rollback(self, *, idempotency_key: str | None = None) -> models.ReplayStatus:
        """Bring back what was before the swap, with all that came in since; for a day.

        Scope: `manage`.
        """
        return self._calls.command(
            "/replay.rollback", {}, models.ReplayStatus.model_validate_json, idempotency_key
        )


class Sources:
    """The endpoints `/sources.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.channels = SourcesChannels(calls)

    def create(
        self,
        *,
        source_id: str,
        action_endpoint: str | None = None,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.CreatedSource:
        """Make a source. Its token is in the answer, and nowhere else.

        Scope: `manage`.

        Args:
            source_id: Its name in all that comes from it.
        """
        return self._calls.command(
            "/sources.create",
            {
                "source_id": source_id,
                "action_endpoint": action_endpoint,
                "name": name,
                "image_url": image_url,
            },
            models.CreatedSource.model_validate_json,
            idempotency_key,
        )

    def update(
        self,
        *,
        source_id: str,
        action_endpoint: str | None = None,
        name: str | None = None,
        image_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Source:
        """Change a source: what is not given, it has no more.

        Scope: `manage`.
        """
        return self._calls.command(
            "/sources.update",
            {
                "source_id": source_id,
                "action_endpoint": action_endpoint,
                "name": name,
                "image_url": image_url,
            },
            models.Source.model_validate_json,
            idempotency_key,
        )

    def list(self) -> models.SourceList:
        """Return all sources, by id, without their tokens.

        Scope: `manage`.
        """
        return self._calls.ask("/sources.list", {}, models.SourceList.model_validate_json)

    def each(self) -> Iterator[models.Source]:
        """Go through all that `list` lists."""
        yield from self.list().data

    def delete(self, *, source_id: str, idempotency_key: str | None = None) -> None:
        """Delete a source, if it is there; its token is good for nothing, what it brought stays.

        Scope: `manage`.
        """
        self._calls.command("/sources.delete", {"source_id": source_id}, nothing, idempotency_key)

    def webhook(
        self,
        *,
        messages: Sequence[arguments.IngestedMessage] | None = None,
        metadata: Sequence[arguments.IngestedMetadata] | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Take messages and metadata in. They are on disk with the answer, and shown soon after.

        Scope: `manage`.
        """
        self._calls.command(
            "/sources.webhook",
            {"messages": messages, "metadata": metadata},
            nothing,
            idempotency_key,
        )


class SourcesChannels:
    """The endpoints `/sources.channels.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(
        self,
        *,
        source_channel_id: str,
        name: str,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Connect a channel of the source; one that is known is connected again.

        Scope: `manage`.
        """
        return self._calls.command(
            "/sources.channels.create",
            {"source_channel_id": source_channel_id, "name": name, "metadata": metadata},
            models.Channel.model_validate_json,
            idempotency_key,
        )

    def list(self) -> models.ChannelList:
        """Return the connected channels of the source, by id.

        Scope: `manage`.
        """
        return self._calls.ask("/sources.channels.list", {}, models.ChannelList.model_validate_json)

    def each(self) -> Iterator[models.Channel]:
        """Go through all that `list` lists."""
        yield from self.list().data

    def disconnect(self, *, channel_id: UUID | str, idempotency_key: str | None = None) -> None:
        """Stop using a channel of the source. Repeated, it is fine.

        Scope: `manage`.
        """
        self._calls.command(
            "/sources.channels.disconnect", {"channel_id": channel_id}, nothing, idempotency_key
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
        """Make a tag.

        Scope: `write`.
        """
        return self._calls.command(
            "/tags.create",
            {"name": name, "color": color},
            models.Tag.model_validate_json,
            idempotency_key,
        )

    def list(self) -> models.TagList:
        """Return all tags, by id.

        Scope: `read`.
        """
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
        """Change a tag.

        Scope: `write`.
        """
        self._calls.command(
            "/tags.update", {"id": id, "name": name, "color": color}, nothing, idempotency_key
        )

    def delete(self, *, id: UUID | str, idempotency_key: str | None = None) -> None:
        """Delete a tag; conversations that have it keep its id.

        Scope: `write`.
        """
        self._calls.command("/tags.delete", {"id": id}, nothing, idempotency_key)


class Templates:
    """The endpoints `/templates.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(
        self, *, name: str, source: str, content: Any, idempotency_key: str | None = None
    ) -> models.Template:
        """Make a template.

        Scope: `write`.

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

        Scope: `read`.

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
        """Return a template.

        Scope: `read`.
        """
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

        Scope: `write`.

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
        """Delete a template.

        Scope: `write`.
        """
        self._calls.command("/templates.delete", {"id": id}, nothing, idempotency_key)


class Tokens:
    """The endpoints `/tokens.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(
        self,
        *,
        name: str,
        scope: Literal["read", "write", "manage"],
        sources: Sequence[str] | None = None,
        channel_ids: Sequence[UUID | str] | None = None,
        expires_in_s: int | None = None,
        requests_per_minute: int | None = None,
        idempotency_key: str | None = None,
    ) -> models.NewApiToken:
        """Make a token. Its secret is in the answer, and nowhere else.

        With sources or channels it reaches only the conversations on any of these.

        Scope: `manage`.

        Args:
            name: Who acts: `token:<name>`.
            scope: Each includes those before it: read, write, manage.
            sources: With `channel_ids`, its reach.
        """
        return self._calls.command(
            "/tokens.create",
            {
                "name": name,
                "scope": scope,
                "sources": sources,
                "channel_ids": channel_ids,
                "expires_in_s": expires_in_s,
                "requests_per_minute": requests_per_minute,
            },
            models.NewApiToken.model_validate_json,
            idempotency_key,
        )

    def list(self) -> models.ApiTokenList:
        """Return all tokens, by id, without their secrets; those that have expired too.

        Scope: `manage`.
        """
        return self._calls.ask("/tokens.list", {}, models.ApiTokenList.model_validate_json)

    def each(self) -> Iterator[models.ApiToken]:
        """Go through all that `list` lists."""
        yield from self.list().data

    def revoke(self, *, id: UUID | str, idempotency_key: str | None = None) -> None:
        """Make a token good for nothing, at once and everywhere.

        Scope: `manage`.
        """
        self._calls.command("/tokens.revoke", {"id": id}, nothing, idempotency_key)


class Users:
    """The endpoints `/users.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self, *, cursor: str | None = None, page_size: int | None = None) -> models.UserPage:
        """Return a page of the people who have logged in and called, by id.

        Scope: `read`.
        """
        return self._calls.ask(
            "/users.list",
            {"cursor": cursor, "page_size": page_size},
            models.UserPage.model_validate_json,
        )

    def each(self, *, page_size: int | None = None) -> Iterator[models.User]:
        """Go through all that `list` lists, page by page."""
        return each(lambda cursor: self.list(page_size=page_size, cursor=cursor))


class Webhooks:
    """The endpoints `/webhooks.*`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def attempts(
        self, *, id: UUID | str, cursor: str | None = None, page_size: int | None = None
    ) -> models.AttemptsPage:
        """List a webhook's calls.

        Return what a webhook was called with and what came of it, newest first; the last 10,000.

        What was answered about somebody goes when they are erased.

        Scope: `manage`.
        """
        return self._calls.ask(
            "/webhooks.attempts",
            {"id": id, "cursor": cursor, "page_size": page_size},
            models.AttemptsPage.model_validate_json,
        )

    def each_attempts(
        self, *, id: UUID | str, page_size: int | None = None
    ) -> Iterator[models.WebhookAttempt]:
        """Go through all that `attempts` lists, page by page."""
        return each(lambda cursor: self.attempts(id=id, page_size=page_size, cursor=cursor))

    def status(self, *, id: UUID | str) -> models.WebhookStatus:
        """Get how a webhook is doing.

        Return how a webhook is doing: what was delivered, what waits, what it did not hear of.

        Scope: `manage`.
        """
        return self._calls.ask(
            "/webhooks.status", {"id": id}, models.WebhookStatus.model_validate_json
        )

    def list(self) -> models.WebhookList:
        """Return all webhooks, by id, also those that are not called any more.

        Scope: `manage`.
        """
        return self._calls.ask("/webhooks.list", {}, models.WebhookList.model_validate_json)

    def each(self) -> Iterator[models.Webhook]:
        """Go through all that `list` lists."""
        yield from self.list().data

    def info(self, *, id: UUID | str) -> models.Webhook:
        """Return a webhook.

        Scope: `manage`.
        """
        return self._calls.ask("/webhooks.info", {"id": id}, models.Webhook.model_validate_json)

    def subscribe(
        self,
        *,
        url: str,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        events: Sequence[
            Literal[
                "message.created",
                "message.updated",
                "conversation.updated",
                "channel.updated",
                "tag.updated",
                "metadata.item",
                "metadata.updated",
                "component.updated",
                "webhook.disabled",
                "message.corrected",
                "conversation.corrected",
            ]
        ]
        | None = None,
        signature_key: str | None = None,
        filter: str | None = None,
        id: UUID | str | None = None,
        start: Literal["now", "beginning"] | str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Webhook:
        """Subscribe a webhook.

        Have somebody called when something happens, once at least and with the same id each time.

        Calls are made in the order of what happens within a conversation, and again over three days
        if they fail, unless the answer is 410. The key is told to nobody.

        Scope: `manage`.

        Args:
            events: All types if empty.
            signature_key: A text; or `whsec_` and base64, as Standard Webhooks has it.
            filter: Of conversations, in the language of `conversations.list`; empty for all.
            start: From when on it hears of what happens; the change feed keeps two days.
        """
        return self._calls.command(
            "/webhooks.subscribe",
            {
                "url": url,
                "name": name,
                "headers": headers,
                "events": events,
                "signature_key": signature_key,
                "filter": filter,
                "id": id,
                "start": start,
            },
            models.Webhook.model_validate_json,
            idempotency_key,
        )

    def update(
        self,
        *,
        id: UUID | str,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        events: Sequence[
            Literal[
                "message.created",
                "message.updated",
                "conversation.updated",
                "channel.updated",
                "tag.updated",
                "metadata.item",
                "metadata.updated",
                "component.updated",
                "webhook.disabled",
                "message.corrected",
                "conversation.corrected",
            ]
        ]
        | None = None,
        signature_key: str | None = None,
        filter: str | None = None,
        url: str | None = None,
        status: Literal["Subscribed", "Unsubscribed"] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Webhook:
        """Change a webhook: what is not given stays.

        One that is subscribed again hears of what happens from then on. A new key takes the place
        of all others at once; `webhooks.rotate-key` leaves time.

        Scope: `manage`.

        Args:
            events: All types if empty.
            signature_key: A text; or `whsec_` and base64, as Standard Webhooks has it.
            filter: Of conversations, in the language of `conversations.list`; empty for all.
        """
        return self._calls.command(
            "/webhooks.update",
            {
                "id": id,
                "name": name,
                "headers": headers,
                "events": events,
                "signature_key": signature_key,
                "filter": filter,
                "url": url,
                "status": status,
            },
            models.Webhook.model_validate_json,
            idempotency_key,
        )

    def unsubscribe(self, *, id: UUID | str, idempotency_key: str | None = None) -> models.Webhook:
        """Have a webhook called no more, also not with what waits for it; it stays in the list.

        Scope: `manage`.
        """
        return self._calls.command(
            "/webhooks.unsubscribe", {"id": id}, models.Webhook.model_validate_json, idempotency_key
        )

    def pause(self, *, id: UUID | str, idempotency_key: str | None = None) -> models.Webhook:
        """Pause a webhook.

        Have a webhook called later: what happens meanwhile waits, as long as the feed is kept.

        Scope: `manage`.
        """
        return self._calls.command(
            "/webhooks.pause", {"id": id}, models.Webhook.model_validate_json, idempotency_key
        )

    def resume(self, *, id: UUID | str, idempotency_key: str | None = None) -> models.Webhook:
        """Have a webhook called again, from where it was paused.

        Scope: `manage`.
        """
        return self._calls.command(
            "/webhooks.resume", {"id": id}, models.Webhook.model_validate_json, idempotency_key
        )

    def rotate_key(
        self,
        *,
        id: UUID | str,
        signature_key: str,
        former_valid_s: int | None = None,
        idempotency_key: str | None = None,
    ) -> models.Webhook:
        """Sign with another key, and in `webhook-signature` with the former one too for a while.

        `X-Airy-Content-Signature` is of the new key alone.

        Scope: `manage`.

        Args:
            former_valid_s: How long the former key signs too.
        """
        return self._calls.command(
            "/webhooks.rotate-key",
            {"id": id, "signature_key": signature_key, "former_valid_s": former_valid_s},
            models.Webhook.model_validate_json,
            idempotency_key,
        )

    def test(self, *, id: UUID | str, idempotency_key: str | None = None) -> None:
        """Have a webhook called with an event of type `webhook.test`; its attempts tell of it.

        Scope: `manage`.
        """
        self._calls.command("/webhooks.test", {"id": id}, nothing, idempotency_key)

    def replay(
        self,
        *,
        id: UUID | str,
        event_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        failed_since: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Have a webhook called again, with the same ids: receivers know what they have already.

        `since` and `until` are when events happened, as far back as the change feed is kept.
        `failed_since` is since when events have failed for good, or began to fail.

        Scope: `manage`.
        """
        self._calls.command(
            "/webhooks.replay",
            {
                "id": id,
                "event_id": event_id,
                "since": since,
                "until": until,
                "failed_since": failed_since,
            },
            nothing,
            idempotency_key,
        )


class Areas:
    """All areas of the API."""

    def __init__(self, calls: Calls) -> None:
        self.audit = Audit(calls)
        self.channels = Channels(calls)
        self.chatplugin = Chatplugin(calls)
        self.client = Client(calls)
        self.components = Components(calls)
        self.contacts = Contacts(calls)
        self.conversations = Conversations(calls)
        self.facebook = Facebook(calls)
        self.ledger = Ledger(calls)
        self.media = Media(calls)
        self.messages = Messages(calls)
        self.metadata = Metadata(calls)
        self.quarantine = Quarantine(calls)
        self.replay = Replay(calls)
        self.sources = Sources(calls)
        self.tags = Tags(calls)
        self.templates = Templates(calls)
        self.tokens = Tokens(calls)
        self.users = Users(calls)
        self.webhooks = Webhooks(calls)
