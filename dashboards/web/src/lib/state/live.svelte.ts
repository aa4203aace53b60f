// The live stream: server-sent events from /api/v1/live. The browser reconnects by itself after a broken connection;
// after a refusal (proxy error, ended session) it does not, so that is done here, with growing pauses. After every
// reconnection, and when the server says that it dropped messages, `resync` tells pages to load afresh.
import type { Finding, LiveStats, Response } from '../api/types';
import { session } from './session.svelte';

export type LiveState = 'connecting' | 'open' | 'lost';

interface Messages {
  finding: Finding;
  response: Response;
  stats: LiveStats;
  resync: undefined;
}

type Handlers = { [K in keyof Messages]: Set<(message: Messages[K]) => void> };

const RETRY_FIRST_MS = 1000;
const RETRY_LONGEST_MS = 15_000;

class Live {
  state: LiveState = $state('connecting');
  stats: LiveStats | undefined = $state.raw();
  /** When the connection was lost, for the banner. */
  lostAt: number | undefined = $state();

  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pause = RETRY_FIRST_MS;
  #handlers: Handlers = {
    finding: new Set(),
    response: new Set(),
    stats: new Set(),
    resync: new Set(),
  };

  start(): void {
    this.stop();
    this.#connect();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
    this.#pause = RETRY_FIRST_MS;
    this.state = 'connecting';
    this.lostAt = undefined;
    this.stats = undefined;
  }

  /** Tries again now. */
  retry(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#connect();
  }

  /** Calls `handler` with every message of `kind`; the result ends that. */
  on<K extends keyof Messages>(kind: K, handler: (message: Messages[K]) => void): () => void {
    this.#handlers[kind].add(handler);
    return () => this.#handlers[kind].delete(handler);
  }

  #connect(): void {
    const source = new EventSource('/api/v1/live');
    this.#source = source;
    source.onopen = () => {
      const again = this.lostAt !== undefined;
      this.state = 'open';
      this.lostAt = undefined;
      this.#pause = RETRY_FIRST_MS;
      if (again) this.#tell('resync', undefined);
    };
    source.onerror = () => {
      if (source !== this.#source) return;
      this.state = 'lost';
      this.lostAt ??= Date.now();
      if (source.readyState !== EventSource.CLOSED) return;
      // A refusal may be an ended session: then the login appears and `stop` is called.
      void session.ask();
      this.#timer = setTimeout(() => this.#connect(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, RETRY_LONGEST_MS);
    };
    source.addEventListener('finding', (event) => this.#tell('finding', JSON.parse(event.data)));
    source.addEventListener('response', (event) => this.#tell('response', JSON.parse(event.data)));
    source.addEventListener('resync', () => this.#tell('resync', undefined));
    source.addEventListener('stats', (event) => {
      const stats = JSON.parse(event.data) as LiveStats;
      this.stats = stats;
      this.#tell('stats', stats);
    });
  }

  #tell<K extends keyof Messages>(kind: K, message: Messages[K]): void {
    for (const handler of this.#handlers[kind]) handler(message);
  }
}

export const live = new Live();
