/** Listens with an unmodified stompjs and with our client at once, and reports what both hear. */

/**
 * @param report called with who heard it and what, in order
 * @param webSocket makes WebSockets where there is no global one
 */
export async function listen({ Client, Realtime, url, channelId, report, webSocket }) {
  const address = `${url.replace('http', 'ws')}/ws.communication`;
  const stompjs = new Client({
    ...(webSocket === undefined
      ? { brokerURL: address }
      : { webSocketFactory: () => webSocket(address, ['v12.stomp', 'v11.stomp', 'v10.stomp']) }),
    reconnectDelay: 500,
    onConnect: () => {
      report('stompjs', 'connected');
      stompjs.subscribe('/events', ({ body }) => {
        const { type, payload } = JSON.parse(body);
        if (type === 'message.created' && payload.channel_id === channelId) {
          report('stompjs', payload.message.content.text);
        }
      });
    },
    onStompError: ({ headers }) => report('stompjs', `error ${headers.message}`),
  });
  stompjs.activate();

  const realtime = new Realtime(url, {
    minDelayMs: 200,
    maxDelayMs: 1_000,
    onStatus: (status) => report('status', status),
    ...(webSocket === undefined ? {} : { webSocket }),
  });
  const hear = (name) => (event) => {
    if (event.type === 'message.created' && event.payload.channelId === channelId) {
      report(name, event.payload.message.content.text);
    }
  };
  const onReload = () => report('ours', 'reload');
  const events = realtime.subscribe('/events', hear('ours'), { onReload });
  const channel = realtime.subscribe(`/channels/${channelId}`, hear('channel'), { onReload });
  await events.ready;
  await channel.ready;
  report('ours', 'ready');
}
