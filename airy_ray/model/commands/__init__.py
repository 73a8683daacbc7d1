"""What callers of the API want done: each becomes a record, and its projection decides.

As a record's body a command is JSON, so that an exported log can be read by people.
"""

import msgspec

from airy_ray.model.commands.access import (
    AccessCommand,
    ClaimKey,
    CreateToken,
    RevokeToken,
    SeeUser,
)
from airy_ray.model.commands.base import ANONYMOUS, Command, asked, subjects
from airy_ray.model.commands.channels import (
    ChannelCommand,
    ConnectChannel,
    DisconnectChannel,
    UpdateChannel,
)
from airy_ray.model.commands.contacts import (
    ContactCommand,
    ContactFields,
    CreateContact,
    DeleteContact,
    MergeContacts,
    UnmergeContacts,
    UpdateContact,
)
from airy_ray.model.commands.conversations import (
    ConversationCommand,
    DescribeConversation,
    MarkRead,
    UpsertMetadata,
)
from airy_ray.model.commands.erasure import EraseContact, ErasureCommand, SettleFiles
from airy_ray.model.commands.messages import (
    MessageCommand,
    ResendMessage,
    SendMessage,
    SuggestReplies,
    VisitorSend,
)
from airy_ray.model.commands.records import (
    DropRecord,
    RecordCommand,
    ResendRecord,
    RetryRecord,
)
from airy_ray.model.commands.registry import (
    CreateTag,
    CreateTemplate,
    DeleteTag,
    DeleteTemplate,
    TagCommand,
    TemplateCommand,
    UpdateTag,
    UpdateTemplate,
)
from airy_ray.model.commands.replay import (
    CancelReplay,
    ReplayCommand,
    RollBackReplay,
    StartReplay,
    SwapReplay,
)
from airy_ray.model.commands.sources import (
    CreateSource,
    DeleteSource,
    SourceCommand,
    UpdateSource,
)
from airy_ray.model.commands.webhooks import (
    DisableWebhook,
    PauseWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RotateKey,
    SubscribeWebhook,
    TestWebhook,
    UnsubscribeWebhook,
    UpdateWebhook,
    WebhookCommand,
)

AnyCommand = (
    AccessCommand
    | ChannelCommand
    | ContactCommand
    | ConversationCommand
    | ErasureCommand
    | MessageCommand
    | RecordCommand
    | ReplayCommand
    | SourceCommand
    | TagCommand
    | TemplateCommand
    | WebhookCommand
)

encode = msgspec.json.Encoder().encode
"""Return a command as the body of its record."""

decode = msgspec.json.Decoder(AnyCommand).decode
"""Return the command in a record's body."""

__all__ = [
    "ANONYMOUS",
    "AccessCommand",
    "AnyCommand",
    "CancelReplay",
    "ChannelCommand",
    "ClaimKey",
    "Command",
    "ConnectChannel",
    "ContactCommand",
    "ContactFields",
    "ConversationCommand",
    "CreateContact",
    "CreateSource",
    "CreateTag",
    "CreateTemplate",
    "CreateToken",
    "DeleteContact",
    "DeleteSource",
    "DeleteTag",
    "DeleteTemplate",
    "DescribeConversation",
    "DisableWebhook",
    "DisconnectChannel",
    "DropRecord",
    "EraseContact",
    "ErasureCommand",
    "MarkRead",
    "MergeContacts",
    "MessageCommand",
    "PauseWebhook",
    "RecordCommand",
    "ReplayCommand",
    "ReplayWebhook",
    "ResendMessage",
    "ResendRecord",
    "ResumeWebhook",
    "RetryRecord",
    "RevokeToken",
    "RollBackReplay",
    "RotateKey",
    "SeeUser",
    "SendMessage",
    "SettleFiles",
    "SourceCommand",
    "StartReplay",
    "SubscribeWebhook",
    "SuggestReplies",
    "SwapReplay",
    "TagCommand",
    "TemplateCommand",
    "TestWebhook",
    "UnmergeContacts",
    "UnsubscribeWebhook",
    "UpdateChannel",
    "UpdateContact",
    "UpdateSource",
    "UpdateTag",
    "UpdateTemplate",
    "UpdateWebhook",
    "UpsertMetadata",
    "VisitorSend",
    "WebhookCommand",
    "asked",
    "decode",
    "encode",
    "subjects",
]
