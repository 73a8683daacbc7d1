/** Listens as a website's visitor, whose token is good only after it was refused. */

import { Realtime } from '../../dist/index.js';
import { report, token, url, webSocket } from './report.js';

let known = 'spoiled';

const realtime = new Realtime(
  url,
  {
    token: () => known,
    onUnauthorized: (reason) => {
      report('refused', reason);
      known = token;
    },
    minDelayMs: 200,
    maxDelayMs: 1_000,
    webSocket,
  },
  '/ws.chatplugin',
);
const messages = realtime.subscribe('/user/queue/message', ({ message }) => report('visitor', message.content.text));
await messages.ready;
report('visitor', 'ready');
