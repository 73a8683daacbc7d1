import { describe, expect, test } from 'vitest';
import { told } from '../src/events.js';
import { delayMs } from '../src/realtime.js';

describe('the next try', () => {
  test.each([
    [0, 250, 500],
    [3, 2_000, 4_000],
    [40, 15_000, 30_000],
  ])('after %i losses comes after %i to %i ms', (lost, least, most) => {
    const delays = Array.from({ length: 200 }, () => delayMs(lost));

    expect(Math.min(...delays)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...delays)).toBeLessThanOrEqual(most);
    expect(new Set(delays).size).toBeGreaterThan(100);
  });
});

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
