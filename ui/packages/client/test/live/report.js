/** What a script in Node is told, and how it reports. */

import { WebSocket } from 'ws';

const { AIRY_REPORT: address } = process.env;
export const { AIRY_URL: url, AIRY_CHANNEL: channelId, AIRY_TOKEN: token } = process.env;
let reported = Promise.resolve();

/** Reports in order; ends the process once nobody listens to that any more. */
export function report(who, what) {
  const body = JSON.stringify([who, what]);
  reported = reported.then(() => fetch(address, { method: 'POST', body })).catch(() => process.exit(0));
}

/** Makes WebSockets, of which Node 20 has none. */
export function webSocket(to, protocols) {
  return new WebSocket(to, protocols);
}
