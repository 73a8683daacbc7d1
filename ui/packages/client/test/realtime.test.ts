import { describe, expect, test, vi } from 'vitest';
import { Realtime } from '../src/realtime.js';

describe('a connection', () => {
  test('is not made to what is no address', () => {
    expect(() => new Realtime('no address')).toThrow('Invalid URL');
  });

  test('wants to be told how to make WebSockets where there are none', () => {
    vi.stubGlobal('WebSocket', undefined);

    expect(() => new Realtime('http://127.0.0.1:1')).toThrow('webSocket');
    vi.unstubAllGlobals();
  });

  test('says that there is no token, and waits', async () => {
    const told: string[] = [];
    const realtime = new Realtime('http://127.0.0.1:1', {
      token: () => Promise.reject(new Error('asleep')),
      onError: (reason) => told.push(reason),
      onStatus: (status) => told.push(status),
      webSocket: () => {
        throw new Error('it does not come to this');
      },
    });
    await vi.waitFor(() => expect(realtime.status).toBe('waiting'));
    await realtime.close();

    expect(told).toEqual(['no token to be had: Error: asleep', 'waiting', 'closed']);
  });
});
