import { describe, expect, test } from 'vitest';
import { camelCased, snakeCased } from '../src/casing.js';

describe('answers', () => {
  test('have their fields in camelCase, all the way down', () => {
    const answer = { source_channel_id: 'x', metadata: { contact: { display_name: 'Ada' } } };

    expect(camelCased([answer])).toEqual([{ sourceChannelId: 'x', metadata: { contact: { displayName: 'Ada' } } }]);
  });

  test.each(['content', 'tags', 'user_data', 'services', 'tag_config', 'conversations'])('keep %s as it is', (name) => {
    expect(Object.values(camelCased({ [name]: { a_b: 1 } }) as object)).toEqual([{ a_b: 1 }]);
  });

  test("keep a message's metadata, but not a conversation's", () => {
    const lastMessage = { delivery_state: 'pending', metadata: { a_b: 1 } };

    expect(camelCased({ metadata: { unread_count: 1 }, last_message: lastMessage })).toEqual({
      metadata: { unreadCount: 1 },
      lastMessage: { deliveryState: 'pending', metadata: { a_b: 1 } },
    });
  });

  test('are left alone where they are no objects', () => {
    expect(camelCased(undefined)).toBeUndefined();
    expect(camelCased(null)).toBeNull();
    expect(camelCased('a_b')).toBe('a_b');
  });
});

test('what is asked is named as on the wire, whichever way it was named', () => {
  const asked = { conversationId: '1', page_size: 2, address: { addressLine1: 'x' }, message: { aB: 1 } };

  expect(snakeCased(asked)).toEqual({
    conversation_id: '1',
    page_size: 2,
    address: { address_line1: 'x' },
    message: { aB: 1 },
  });
});
