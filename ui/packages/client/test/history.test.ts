import type { IStompSocket } from '@stomp/stompjs';
import { expect, test, vi } from 'vitest';
import type { RealtimeEvent } from '../src/events.js';
import { Realtime } from '../src/realtime.js';

/** A platform that lets everybody in, and says what a test has it say. */
class Platform {
  #socket: IStompSocket | undefined;

  readonly webSocket = (): IStompSocket => {
    const socket = {
      readyState: 1,
      send: (frame: string) => setTimeout(() => this.#hear(frame)),
      close: () => this.#socket?.onclose?.({ code: 1000 } as never),
    };
    this.#socket = socket as unknown as IStompSocket;
    return this.#socket;
  };

  say(command: string, headers: Record<string, string>, body = ''): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    this.#socket?.onmessage?.({ data: `${command}\n${lines.join('')}\n${body}\0` } as never);
  }

  tell(position: string, event: unknown): void {
    const headers = { subscription: 'sub-0', 'message-id': position, destination: '/events', position };
    this.say('MESSAGE', headers, JSON.stringify(event));
  }

  #hear(frame: string): void {
    const receipt = /^receipt:(.*)$/m.exec(frame)?.[1];
    if (frame.startsWith('CONNECT')) this.say('CONNECTED', { version: '1.2', 'heart-beat': '0,0' });
    else if (receipt !== undefined) this.say('RECEIPT', { 'receipt-id': receipt, positions: 'a.0.10,a.1.20' });
  }
}

test('what is different after history was processed again is heard, and positions go on', async () => {
  const platform = new Platform();
  const realtime = new Realtime('http://127.0.0.1:1', { webSocket: platform.webSocket });
  const heard: RealtimeEvent[] = [];
  const onReload = vi.fn(() => expect(subscription.positions).toBe('a.0.13,a.1.21'));
  const subscription = realtime.subscribe('/events', (event) => heard.push(event), { onReload });
  await subscription.ready;
  const gone = { conversation_id: 'c', message_id: 'm' };

  platform.tell('a.0.11', { type: 'message.removed', timestamp: 7, payload: gone });
  platform.tell('a.0.12', { type: 'conversation.removed', timestamp: 7, payload: { conversation_id: 'c' } });
  platform.tell('a.1.21', { type: 'message.updated', timestamp: 7, payload: { conversation_id: 'd', message: {} } });
  expect(onReload).not.toHaveBeenCalled();
  platform.tell('a.0.13', { type: 'history.replaced', timestamp: 7, payload: {} });
  platform.tell('a.0.13', { type: 'history.replaced', timestamp: 7, payload: {} });

  expect(heard).toEqual([
    { type: 'message.removed', timestamp: 7, payload: { conversationId: 'c', messageId: 'm' } },
    { type: 'conversation.removed', timestamp: 7, payload: { conversationId: 'c' } },
    { type: 'message.updated', timestamp: 7, payload: { conversationId: 'd', message: {} } },
    { type: 'history.replaced', timestamp: 7, payload: {} },
  ]);
  expect(onReload).toHaveBeenCalledTimes(1);
  await realtime.close();
});
