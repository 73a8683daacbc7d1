/**
 * The methods of Airy Core's HTTP client, by name, and what each calls. Their arguments and answers
 * are those of the API's description; methods whose endpoint it does not have do not exist.
 */

import type { CamelCased } from './casing.js';
import type { paths } from './description.js';

/** The endpoint of each method; with a field's name, the method takes just that field. */
export const METHODS = {
  listChannels: ['/channels.list'],
  exploreFacebookChannels: ['/facebook.channels.explore'],
  connectFacebookChannel: ['/channels.facebook.connect'],
  connectInstagramChannel: ['/channels.instagram.connect'],
  connectChatPluginChannel: ['/channels.chatplugin.connect'],
  connectTwilioSmsChannel: ['/channels.twilio.sms.connect'],
  connectTwilioWhatsappChannel: ['/channels.twilio.whatsapp.connect'],
  connectWhatsappChannel: ['/channels.whatsapp.connect'],
  connectViberChannel: ['/channels.viber.connect'],
  connectGoogleChannel: ['/channels.google.connect'],
  updateChannel: ['/channels.update'],
  listConversations: ['/conversations.list'],
  getConversationInfo: ['/conversations.info', 'conversation_id'],
  readConversations: ['/conversations.mark-read', 'conversation_id'],
  setStateConversation: ['/conversations.set-state'],
  tagConversation: ['/conversations.tag'],
  untagConversation: ['/conversations.untag'],
  updateConversationContactInfo: ['/conversations.update-contact'],
  listMessages: ['/messages.list'],
  sendMessages: ['/messages.send'],
  resendMessage: ['/messages.resend'],
  getSuggestedReplies: ['/messages.suggest-replies'],
  listTags: ['/tags.list'],
  createTag: ['/tags.create'],
  updateTag: ['/tags.update'],
  deleteTag: ['/tags.delete', 'id'],
  getConfig: ['/client.config'],
  listTemplates: ['/templates.list'],
  metadataUpsert: ['/metadata.upsert'],
  uploadFile: ['/media.upload'],
  getContactDetails: ['/contacts.info'],
  updateContactDetails: ['/contacts.update'],
  listContacts: ['/contacts.list'],
  deleteContact: ['/contacts.delete', 'id'],
  listWebhooks: ['/webhooks.list'],
  subscribeWebhook: ['/webhooks.subscribe'],
  updateWebhook: ['/webhooks.update'],
  unsubscribeWebhook: ['/webhooks.unsubscribe'],
  getComponents: ['/components.get'],
  listComponents: ['/components.list'],
  enableDisableComponent: ['/components.update'],
  updateComponentConfiguration: ['/components.update'],
} as const satisfies Record<string, readonly [endpoint: string, only?: string]>;

/** Methods that the description gives arguments and answers. */
export type Methods = {
  [Name in keyof Table as Table[Name][0] extends keyof paths ? Name : never]: Method<Table[Name]>;
};

/** The sources whose channels can be disconnected. */
export type ConnectedSource = keyof paths extends infer Path
  ? Path extends `/channels.${infer Source}.disconnect`
    ? Source
    : never
  : never;

type Table = typeof METHODS;

type Method<Entry extends readonly [string, string?]> = Entry extends readonly [infer Path, infer Only extends string]
  ? (value: Field<Body<Path>, Only>) => Promise<Answer<Path>>
  : Record<never, never> extends Body<Entry[0]>
    ? (asked?: Taken<Body<Entry[0]>>) => Promise<Answer<Entry[0]>>
    : (asked: Taken<Body<Entry[0]>>) => Promise<Answer<Entry[0]>>;

type Operation<Path> = Path extends keyof paths ? paths[Path]['post'] : never;

type Body<Path> =
  NonNullable<Exclude<Operation<Path>, undefined>['requestBody']> extends { content: infer Content }
    ? Content extends { 'application/json': infer Json }
      ? NonNullable<Json>
      : Content extends { 'multipart/form-data': infer Form }
        ? { [Name in keyof Form]: Blob }
        : never
    : never;

type Field<Value, Name extends string> = Name extends keyof Value ? Value[Name] : never;

/** What is taken may be named as on the wire too, as the reference's client has it in places. */
type Taken<Value> = CamelCased<Value> | Value;

type Good<Path> = Exclude<Operation<Path>, undefined>['responses'] extends infer Responses
  ? Responses[keyof Responses & (200 | 201 | 202 | 204)]
  : never;

type Answer<Path> = Good<Path> extends { content: { 'application/json': infer Json } } ? Shown<Json> : undefined;

/** A list that does not come in pages is just its items. */
type Shown<Json> = Json extends { pagination_data: infer Pagination; data: infer Items }
  ? { data: CamelCased<Items>; paginationData: CamelCased<Pagination> }
  : Json extends { data: infer Items }
    ? CamelCased<Items>
    : CamelCased<Json>;
