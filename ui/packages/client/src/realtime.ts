/** STOMP over WebSocket: connects, hears, comes back, and goes on where it was. */

import { Client, type IFrame, type IMessage, type IStompSocket } from '@stomp/stompjs';
import { type RealtimeEvent, told, type VisitorMessage } from './events.js';
import { Resumption } from './resumption.js';
import { type Delays, delayMs, failuresAfter } from './retries.js';

/** `connected` once the platform has let us in; `waiting` for the next try; `closed` by `close`. */
export type RealtimeStatus = 'connecting' | 'connected' | 'waiting' | 'closed';

export type RealtimeOptions = Delays & {
  /** The system token, an API token or a visitor's; or what returns one, asked before each try. */
  token?: string | (() => string | Promise<string>);
  onStatus?: (status: RealtimeStatus) => void;
  /** The platform does not let us in: the next try takes the token anew, after a while. */
  onUnauthorized?: (reason: string) => void;
  /** Anything else that keeps us out: an id or a filter that the platform does not take, or no token to be had. */
  onError?: (reason: string) => void;
  /** Makes WebSockets where there is no global one, as in Node 20: `(url, protocols) => new WebSocket(…)` of `ws`. */
  webSocket?: (url: string, protocols: string[]) => IStompSocket;
};

export type SubscriptionOptions = {
  /** Only what concerns conversations that this finds, in the syntax of `conversations.list`. */
  filter?: string;
  /** Where to go on, as `positions` was: after a page was loaded again, say. */
  resumeFrom?: string;
  /** What was missed is not to be had any more, or `history.replaced` was heard: load what is shown anew, over HTTP. */
  onReload?: () => void;
};

const VERSIONS = ['v12.stomp', 'v11.stomp', 'v10.stomp'];
const BEAT_MS = 10_000;
const CONNECT_MS = 15_000;

/** What to hear of, for as long as it is not unsubscribed. */
export class RealtimeSubscription {
  readonly #resumption: Resumption;
  /** @internal */
  stomp: { unsubscribe: () => void } | undefined;
  #isStanding = false;
  #standing: (() => void)[] = [];

  /** @internal */
  constructor(
    private readonly realtime: Realtime,
    readonly id: string,
    readonly destination: string,
    private readonly hear: (said: never) => void,
    private readonly options: SubscriptionOptions,
  ) {
    this.#resumption = new Resumption(options.resumeFrom);
  }

  /** How far it is; `resumeFrom` of another subscription, to go on there. */
  get positions(): string {
    return this.#resumption.toString();
  }

  /** Resolves once the platform has said that it stands: from then on nothing is missed. */
  get ready(): Promise<void> {
    return this.#isStanding ? Promise.resolve() : new Promise((resolve) => this.#standing.push(resolve));
  }

  /** Hears no more. */
  unsubscribe(): void {
    this.realtime.forget(this);
    this.stomp?.unsubscribe();
    this.stomp = undefined;
  }

  /** @internal */
  begin(client: Client): void {
    const receipt = `${this.id}-${Date.now()}`;
    const resumeFrom = this.#resumption.begin();
    client.watchForReceipt(receipt, (frame) => this.#stands(frame));
    this.stomp = client.subscribe(this.destination, (message) => this.#take(message), {
      id: this.id,
      receipt,
      ...(resumeFrom === undefined ? {} : { 'resume-from': resumeFrom }),
      ...(this.options.filter === undefined ? {} : { filter: this.options.filter }),
    });
  }

  #stands({ headers }: IFrame): void {
    const isWhole = this.#resumption.settle(headers.positions, headers.recovered);
    this.#isStanding = true;
    for (const resolve of this.#standing.splice(0)) resolve();
    if (!isWhole) this.options.onReload?.();
  }

  #take({ headers, body }: IMessage): void {
    if (headers.destination === '/positions') {
      this.#resumption.advance(headers.positions);
    } else if (this.#resumption.isNew(headers.position)) {
      const event = told(body);
      this.hear(event as never);
      if ((event as RealtimeEvent).type === 'history.replaced') this.options.onReload?.();
    }
  }
}

/** One connection that comes back by itself, and its subscriptions. */
export class Realtime {
  readonly #address: URL;
  #client: Client | undefined;
  #subscriptions = new Map<string, RealtimeSubscription>();
  #status: RealtimeStatus = 'connecting';
  #failures = 0;
  #connectedAt: number | undefined;
  #nextId = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param url where the platform is: `http://127.0.0.1:8000`
   * @param path what for: agents and programs, or a website's visitor
   */
  constructor(
    readonly url: string,
    private readonly options: RealtimeOptions = {},
    private readonly path: '/ws.communication' | '/ws.chatplugin' = '/ws.communication',
  ) {
    this.#address = new URL(path, url);
    this.#address.protocol = this.#address.protocol.replace('http', 'ws');
    if (options.webSocket === undefined && typeof WebSocket === 'undefined') {
      throw new TypeError('there is no global WebSocket here: tell how to make one, by `webSocket`');
    }
    void this.#connect();
  }

  get status(): RealtimeStatus {
    return this.#status;
  }

  /** Hears of everything, or of one conversation, one channel, or which agents are there. */
  subscribe(
    destination: '/events' | '/presence' | `/conversations/${string}` | `/channels/${string}` | '/user/queue/events',
    hear: (event: RealtimeEvent) => void,
    options?: SubscriptionOptions,
  ): RealtimeSubscription;
  /** Hears what a website's visitor is to see, what they wrote themselves among it. */
  subscribe(
    destination: '/user/queue/message',
    hear: (message: VisitorMessage) => void,
    options?: SubscriptionOptions,
  ): RealtimeSubscription;
  subscribe(destination: string, hear: (said: never) => void, options: SubscriptionOptions = {}): RealtimeSubscription {
    const subscription = new RealtimeSubscription(this, `sub-${this.#nextId++}`, destination, hear, options);
    this.#subscriptions.set(subscription.id, subscription);
    if (this.#status === 'connected' && this.#client !== undefined) subscription.begin(this.#client);
    return subscription;
  }

  /** Tells those who look on that somebody types, of an agent in which conversation; holds for ten seconds. */
  typing(typing: boolean, conversationId?: string): void {
    const destination = conversationId === undefined ? '/typing' : `/conversations/${conversationId}/typing`;
    this.#send(destination, { typing });
  }

  /** Tells agents what a website's visitor has seen. */
  seen(messageId: string): void {
    this.#send('/seen', { message_id: messageId });
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#become('closed');
    clearTimeout(this.#timer);
    await this.#client?.deactivate();
  }

  /** @internal */
  forget(subscription: RealtimeSubscription): void {
    this.#subscriptions.delete(subscription.id);
  }

  async #connect(): Promise<void> {
    this.#become('connecting');
    let token: string | undefined;
    try {
      token = typeof this.options.token === 'function' ? await this.options.token() : this.options.token;
    } catch (error) {
      this.options.onError?.(`no token to be had: ${error}`);
      this.#failures += 1;
      this.#retry();
      return;
    }
    if (this.#status === 'closed') return;
    const address = this.#addressWith(token);
    const client = new Client({
      webSocketFactory: () => this.options.webSocket?.(address, VERSIONS) ?? new WebSocket(address, VERSIONS),
      connectHeaders: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      reconnectDelay: 0,
      heartbeatIncoming: BEAT_MS,
      heartbeatOutgoing: BEAT_MS,
      connectionTimeout: CONNECT_MS,
      discardWebsocketOnCommFailure: true, // where the network is gone, a closing handshake takes minutes
      onConnect: () => this.#connected(client),
      onStompError: ({ headers }) => {
        const reason = headers.message ?? '';
        const report = reason.includes('401') ? this.options.onUnauthorized : this.options.onError;
        report?.(reason);
      },
      onWebSocketClose: (closed: { code?: number }) => this.#closed(client, closed.code),
    });
    this.#client = client;
    client.activate();
  }

  #connected(client: Client): void {
    this.#connectedAt = Date.now();
    this.#become('connected');
    for (const subscription of this.#subscriptions.values()) subscription.begin(client);
  }

  #closed(client: Client, code: number | undefined): void {
    if (client !== this.#client || this.#status === 'closed') return;
    void client.deactivate({ force: true });
    for (const subscription of this.#subscriptions.values()) subscription.stomp = undefined;
    const connectedMs = this.#connectedAt === undefined ? 0 : Date.now() - this.#connectedAt;
    this.#connectedAt = undefined;
    this.#failures = failuresAfter(this.#failures, connectedMs, code);
    this.#retry();
  }

  #retry(): void {
    if (this.#status === 'closed') return;
    this.#become('waiting');
    this.#timer = setTimeout(() => void this.#connect(), delayMs(this.#failures, this.options));
  }

  #become(status: RealtimeStatus): void {
    if (this.#status === 'closed' || this.#status === status) return;
    this.#status = status;
    this.options.onStatus?.(status);
  }

  #send(destination: string, said: unknown): void {
    if (this.#status !== 'connected') return; // it is of use for a moment only
    this.#client?.publish({ destination, body: JSON.stringify(said) });
  }

  #addressWith(token: string | undefined): string {
    if (token === undefined || this.path !== '/ws.communication') return this.#address.href;
    const address = new URL(this.#address);
    address.search = 'login=connect'; // CONNECT says who we are: browsers cannot at the upgrade
    return address.href;
  }
}
