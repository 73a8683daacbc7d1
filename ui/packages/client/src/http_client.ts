/** The API over HTTP, under the names of Airy Core's client. */

import createClient, { type Client } from 'openapi-fetch';
import type { PathsWithMethod } from 'openapi-typescript-helpers';
import { camelCased, snakeCased } from './casing.js';
import type { paths } from './description.js';
import { type ConnectedSource, METHODS, type Methods } from './methods.js';

/** What the API refused: the answer's status, and its body as far as it has one. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(told(body) ?? `status ${status}`);
  }
}

export type HttpClientOptions = {
  /** The system token or an API token; without one, the browser's session counts. */
  token?: string;
  /** What is called in place of the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
};

class Calls {
  /** Every endpoint of the description, as the wire has it: `api.POST('/channels.info', {body})`. */
  readonly api: Client<paths>;
  readonly loginUrl: string;

  /**
   * @param apiUrl where the platform is
   * @param onUnauthorized called when an answer is 403, with its body and where to log in
   */
  constructor(
    readonly apiUrl: string,
    private readonly onUnauthorized?: (body: unknown, loginUrl: string) => void,
    { token, fetch }: HttpClientOptions = {},
  ) {
    this.loginUrl = `${apiUrl}/login`;
    this.api = createClient<paths>({
      baseUrl: apiUrl,
      credentials: 'include',
      headers: {
        accept: 'application/json',
        'x-requested-with': 'XMLHttpRequest',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(fetch === undefined ? {} : { fetch }),
    });
    for (const [name, [path, only]] of Object.entries<readonly [string, string?]>(METHODS)) {
      const method = (asked?: unknown) => this.call(path, only === undefined ? asked : { [only]: asked });
      Object.defineProperty(this, name, { value: method });
    }
  }

  /** Stops using a channel. */
  async disconnectChannel({ source, channelId }: { source: ConnectedSource; channelId: string }): Promise<void> {
    await this.call(`/channels.${source}.disconnect`, { channelId });
  }

  private async call(path: string, asked: unknown): Promise<unknown> {
    const body = snakeCased(asked ?? {}) as Record<string, unknown>;
    const isForm = Object.values(body).some((value) => value instanceof Blob);
    const options = { body: isForm ? form(body) : body };
    const { data, error, response } = await this.api.POST(path as PathsWithMethod<paths, 'post'>, options as never);
    if (!response.ok) {
      if (response.status === 403) this.onUnauthorized?.(error, this.loginUrl);
      throw new ApiError(response.status, error);
    }
    return shown(data);
  }
}

/** The platform: a method for each endpoint that Airy Core's client knows. */
export type HttpClient = Calls & Methods;

/** Makes a client: `new HttpClient('http://127.0.0.1:8000')`. */
export const HttpClient = Calls as new (...options: ConstructorParameters<typeof Calls>) => HttpClient;

/** Returns an answer as callers see it; a list that does not come in pages is just its items. */
function shown(answer: unknown): unknown {
  if (!isList(answer)) return camelCased(answer);
  const data = camelCased(answer.data);
  return 'pagination_data' in answer ? { data, paginationData: camelCased(answer.pagination_data) } : data;
}

function isList(answer: unknown): answer is { data: unknown[]; pagination_data?: unknown } {
  return typeof answer === 'object' && answer !== null && 'data' in answer && Array.isArray(answer.data);
}

function form(fields: Record<string, unknown>): FormData {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields)) made.append(name, value instanceof Blob ? value : String(value));
  return made;
}

function told(body: unknown): string | undefined {
  if (typeof body === 'object' && body !== null && 'message' in body) return String(body.message);
  return undefined;
}
