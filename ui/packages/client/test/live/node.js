import { Client } from '@stomp/stompjs';
import { Realtime } from '../../dist/index.js';
import { listen } from './listen.js';
import { channelId, report, url, webSocket } from './report.js';

await listen({ Client, Realtime, url, channelId, report, webSocket });
