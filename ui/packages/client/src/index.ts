/** A typed client of airy-ray: its HTTP API, and what it tells over WebSocket. */

export type { CamelCased } from './casing.js';
export type { components, paths } from './description.js';
export type {
  ChannelEvent,
  ComponentEvent,
  ConversationRemovedEvent,
  HistoryReplacedEvent,
  MessageEvent,
  MessageRemovedEvent,
  MetadataEvent,
  PresenceEvent,
  RealtimeEvent,
  SeenEvent,
  TagEvent,
  TypingEvent,
  VisitorMessage,
} from './events.js';
export { ApiError, HttpClient, type HttpClientOptions } from './http_client.js';
export {
  Realtime,
  type RealtimeOptions,
  type RealtimeStatus,
  RealtimeSubscription,
  type SubscriptionOptions,
} from './realtime.js';
export type { Channel, Conversation, Message, Tag, Template } from './things.js';
