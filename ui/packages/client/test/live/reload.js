/** Wants to go on where nobody can, and asks for what is not there. */

import { Realtime } from '../../dist/index.js';
import { channelId, report, url, webSocket } from './report.js';

const realtime = new Realtime(url, { webSocket });
realtime.subscribe(
  `/channels/${channelId}`,
  (event) => {
    if (event.type === 'message.created') report('ours', event.payload.message.content.text);
  },
  { resumeFrom: 'elsewhere.0.7', onReload: () => report('ours', 'reload') },
);

const wrong = new Realtime(url, { onError: (reason) => report('error', reason), webSocket });
wrong.subscribe('/conversations/nonsense', () => report('error', 'an event'));
