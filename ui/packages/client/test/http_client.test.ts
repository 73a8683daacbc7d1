/** Against a platform that runs: `AIRY_URL=http://127.0.0.1:8000 npm test`. */

import { beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { ApiError, type Channel, type Conversation, HttpClient, type Message, type Tag } from '../src/index.js';

const url = process.env.AIRY_URL ?? '';

test('methods take and return what is described', () => {
  type Client = HttpClient;

  expectTypeOf<Client['listChannels']>().returns.resolves.toEqualTypeOf<Channel[]>();
  expectTypeOf<Client['sendMessages']>().returns.resolves.toEqualTypeOf<Message>();
  expectTypeOf<Client['getConversationInfo']>().parameters.toEqualTypeOf<[string]>();
  expectTypeOf<Client['createTag']>().returns.resolves.toEqualTypeOf<Tag>();
  expectTypeOf<Client['deleteTag']>().returns.resolves.toEqualTypeOf<undefined>();
  expectTypeOf<Awaited<ReturnType<Client['listConversations']>>['data']>().toEqualTypeOf<Conversation[]>();
  expectTypeOf<Client['disconnectChannel']>().parameter(0).toHaveProperty('channelId');
  // @ts-expect-error -- a conversation is required
  expectTypeOf<Client['tagConversation']>().toBeCallableWith({ tagId: '1' });
});

describe.skipIf(url === '')('a platform', () => {
  const client = new HttpClient(url);
  let website: Channel;

  beforeAll(async () => {
    website = await client.connectChatPluginChannel({ name: 'A website' });
  });

  async function write(...texts: string[]): Promise<Conversation> {
    const { data: entered } = await client.api.POST('/chatplugin.authenticate', { body: { channel_id: website.id } });
    const visitor = new HttpClient(url, undefined, { token: entered?.token ?? '' });
    for (const text of texts) await visitor.api.POST('/chatplugin.send', { body: { message: { text } } });
    const { data } = await client.listConversations({ pageSize: 10 });
    const found = data.find((each) => each.channel?.id === website.id && isText(each.lastMessage, texts.at(-1)));
    if (found === undefined) throw new Error('the conversation is not listed');
    return found;
  }

  test('lists channels', async () => {
    expect(await client.listChannels()).toContainEqual(website);
    expect(website.sourceChannelId).toBeTruthy();
  });

  test('renames and disconnects a channel', async () => {
    const channel = await client.connectGoogleChannel({ gbmId: crypto.randomUUID(), name: 'An agent' });
    const renamed = await client.updateChannel({ channelId: channel.id, name: 'The agent' });
    await client.disconnectChannel({ source: 'google', channelId: channel.id });

    expect(renamed).not.toEqual(channel);
    expect((await client.listChannels()).map((each) => each.id)).not.toContain(channel.id);
  });

  test('answers, tags and closes a conversation', async () => {
    const { id } = await write('Hi');
    const tag = await client.createTag({ name: 'VIP', color: 'tag-red' });
    await client.tagConversation({ conversationId: id, tagId: tag.id });
    await client.setStateConversation({ conversationId: id, state: 'CLOSED' });
    await client.updateConversationContactInfo({ conversationId: id, displayName: 'Ada' });
    await client.metadataUpsert({ subject: 'conversation', id, data: { is_vip: true } });
    const sent = await client.sendMessages({ conversationId: id, message: { text: 'Hello' } });
    await client.readConversations(id);

    const found = await client.getConversationInfo(id);
    expect(found.lastMessage.id).toBe(sent.id);
    expect(found.metadata).toMatchObject({
      state: 'CLOSED',
      unreadCount: 0,
      contact: { displayName: 'Ada' },
      userData: { is_vip: true },
    });
    expect(Object.keys(found.metadata.tags as object)).toEqual([tag.id]);
  });

  test('lists messages page by page, newest first', async () => {
    const { id } = await write('1', '2', '3');
    const first = await client.listMessages({ conversationId: id, pageSize: 2, cursor: null });
    const second = await client.listMessages({
      conversationId: id,
      pageSize: 2,
      cursor: first.paginationData.nextCursor,
    });

    expect([...first.data, ...second.data].map((each) => each.content)).toEqual(
      ['3', '2', '1'].map((text) => ({ text })),
    );
    expect(second.paginationData.nextCursor).toBeNull();
  });

  test('lists, changes and deletes tags', async () => {
    const tag = await client.createTag({ name: 'New', color: 'tag-blue' });
    await client.updateTag({ ...tag, name: 'Old' });

    expect(await client.listTags()).toContainEqual({ ...tag, name: 'Old' });
    await client.deleteTag(tag.id);
    expect((await client.listTags()).map((each) => each.id)).not.toContain(tag.id);
  });

  test('lists templates', async () => {
    const { data: made } = await client.api.POST('/templates.create', {
      body: { name: 'Greeting', source: 'google', content: { a_b: 1 } },
    });

    expect(await client.listTemplates({ source: 'google' })).toContainEqual(
      expect.objectContaining({ id: made?.id, content: { a_b: 1 } }),
    );
  });

  test('tells what runs', async () => {
    const config = await client.getConfig();

    expect(config.services['api-communication']?.healthy).toBe(true);
    expect(config.tagConfig.colors['tag-red']?.position).toBeTypeOf('number');
  });

  test('tells why something is refused', async () => {
    const refused = await client.getConversationInfo('not an id').catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(ApiError);
    expect(refused).toMatchObject({ status: 400, body: { message: expect.stringContaining('conversation_id') } });
  });

  test('says where to log in when something is forbidden', async () => {
    const told: unknown[] = [];
    const forbidden = new HttpClient(url, (_, loginUrl) => told.push(loginUrl), {
      fetch: async () => new Response(null, { status: 403 }),
    });

    await expect(forbidden.listTags()).rejects.toMatchObject({ status: 403 });
    expect(told).toEqual([`${url}/login`]);
  });
});

function isText(message: Message, text: string | undefined): boolean {
  return JSON.stringify(message.content) === JSON.stringify({ text });
}
