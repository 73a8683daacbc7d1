/** A typed client of airy-ray's HTTP API. */

export type { CamelCased } from './casing.js';
export type { components, paths } from './description.js';
export { ApiError, HttpClient, type HttpClientOptions } from './http_client.js';
export type { Channel, Conversation, Message, Tag, Template } from './things.js';
