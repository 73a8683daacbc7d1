import { Client } from '@stomp/stompjs';
import { WebSocket } from 'ws';
import { Realtime } from '../../dist/index.js';
import { listen } from './listen.js';

const { AIRY_URL: url, AIRY_CHANNEL: channelId, AIRY_REPORT: address } = process.env;
let reported = Promise.resolve();

function report(who, what) {
  const body = JSON.stringify([who, what]);
  reported = reported.then(() => fetch(address, { method: 'POST', body })).catch(() => process.exit(0));
}

await listen({ Client, Realtime, url, channelId, report, webSocket: (to, protocols) => new WebSocket(to, protocols) });
