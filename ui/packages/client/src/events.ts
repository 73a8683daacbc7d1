/** What is heard: the events of `/events` (platform API §9.3), and those that are kept nowhere. */

import { camelCased } from './casing.js';
import type { Channel, Message, Tag } from './things.js';

export type MessageEvent = {
  type: 'message.created' | 'message.updated';
  timestamp: number;
  payload: { conversationId: string; channelId: string; message: Message };
};

export type MetadataEvent = {
  type: 'metadata.updated';
  timestamp: number;
  payload: { subject: 'conversation' | 'channel' | 'message'; identifier: string; metadata: Record<string, unknown> };
};

export type ChannelEvent = { type: 'channel.updated'; timestamp: null; payload: Channel };

export type TagEvent = { type: 'tag.updated'; timestamp: number; payload: Tag };

/** A source or another part was installed, or is no more. */
export type ComponentEvent = {
  type: 'component.updated';
  timestamp: number;
  payload: {
    subject: 'component';
    identifier: string;
    metadata: { installationStatus: 'pending' | 'installed' | 'uninstalled' };
  };
};

/** Somebody types, for `lastsMs` if it is not said again. */
export type TypingEvent = {
  type: 'typing.updated';
  timestamp: number;
  payload: {
    conversationId: string;
    channelId: string;
    sender: { id: string };
    fromContact: boolean;
    typing: boolean;
    lastsMs: number;
  };
};

/** A website's visitor has seen all up to a message. */
export type SeenEvent = {
  type: 'message.seen';
  timestamp: number;
  payload: { conversationId: string; channelId: string; messageId: string };
};

/** An agent is there, or no more, and has these conversations open. */
export type PresenceEvent = {
  type: 'presence.updated';
  timestamp: number;
  payload: {
    user: { id: string; name: string | null; avatarUrl: string | null };
    online: boolean;
    conversationIds: string[];
  };
};

/** History was processed again, and this message is not there any more. */
export type MessageRemovedEvent = {
  type: 'message.removed';
  timestamp: number;
  payload: { conversationId: string; messageId: string; channelId?: string };
};

/**
 * History was processed again, or somebody was forgotten: this conversation is not there any more. Earlier releases did
 * not tell its channel.
 */
export type ConversationRemovedEvent = {
  type: 'conversation.removed' | 'conversation.erased';
  timestamp: number;
  payload: { conversationId: string; channelId?: string };
};

/** History was processed again, and too much shows something else to be told: load all anew, over HTTP. */
export type HistoryReplacedEvent = { type: 'history.replaced'; timestamp: number; payload: Record<string, never> };

/** Any of them; types that this client does not know yet come as they are. */
export type RealtimeEvent =
  | MessageEvent
  | MetadataEvent
  | ChannelEvent
  | TagEvent
  | ComponentEvent
  | MessageRemovedEvent
  | ConversationRemovedEvent
  | HistoryReplacedEvent
  | TypingEvent
  | SeenEvent
  | PresenceEvent;

/** What a website's visitor hears at `/user/queue/message`. */
export type VisitorMessage = { conversationId: string; channelId: string; message: Message };

/** Returns what a MESSAGE says, with the names of fields in camelCase. */
export function told(body: string): unknown {
  const said = JSON.parse(body) as { payload?: unknown };
  return said.payload === undefined ? withMessage(said) : { ...said, payload: withMessage(said.payload) };
}

function withMessage(payload: unknown): unknown {
  const shown = camelCased(payload) as { message?: unknown };
  return shown.message === undefined ? shown : { ...shown, message: camelCased(shown.message) };
}
