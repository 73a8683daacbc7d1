import { describe, expect, test } from 'vitest';
import { told } from '../src/events.js';

describe('an event', () => {
  test('has its fields in camelCase, but not what people wrote', () => {
    const message = { delivery_state: 'delivered', content: { quick_replies: [] }, from_contact: true };
    const event = { type: 'message.created', timestamp: 7, payload: { conversation_id: 'c', message } };

    expect(told(JSON.stringify(event))).toEqual({
      type: 'message.created',
      timestamp: 7,
      payload: {
        conversationId: 'c',
        message: { deliveryState: 'delivered', content: { quick_replies: [] }, fromContact: true },
      },
    });
  });

  test('of a visitor is a message without an envelope', () => {
    expect(told('{"conversation_id":"c","message":{"from_contact":false}}')).toEqual({
      conversationId: 'c',
      message: { fromContact: false },
    });
  });
});
