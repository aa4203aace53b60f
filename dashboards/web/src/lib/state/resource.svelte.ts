// What a page loads: one answer, or a list that grows page by page. What was loaded stays visible while it is loaded
// afresh, so that nothing jumps.
import { ApiError } from '../api/client';
import type { Paged } from '../api/types';

function asApiError(error: unknown): ApiError | undefined {
  if (error instanceof DOMException && error.name === 'AbortError') return undefined;
  return error instanceof ApiError ? error : new ApiError(-1, String(error));
}

export class Resource<T> {
  data: T | undefined = $state.raw();
  error: ApiError | undefined = $state.raw();
  loading = $state(false);

  #abort: AbortController | undefined;
  #fetch: ((signal: AbortSignal) => Promise<T>) | undefined;

  /** Loads; a newer load cancels this one. */
  async load(fetch: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.#fetch = fetch;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.loading = true;
    try {
      const data = await fetch(abort.signal);
      if (abort.signal.aborted) return;
      this.data = data;
      this.error = undefined;
    } catch (error) {
      if (!abort.signal.aborted) this.error = asApiError(error);
    } finally {
      if (this.#abort === abort) this.loading = false;
    }
  }

  /** Loads the same again. */
  async reload(): Promise<void> {
    if (this.#fetch) await this.load(this.#fetch);
  }
}

export class PagedList<T> {
  items: T[] = $state.raw([]);
  total: number | undefined = $state.raw();
  next: string | undefined = $state.raw();
  error: ApiError | undefined = $state.raw();
  /** Nothing was loaded yet. */
  first = $state(true);
  loading = $state(false);

  #abort: AbortController | undefined;
  /** The items still answer an earlier question. */
  #changed = false;
  #fetch: ((cursor: string | undefined, signal: AbortSignal) => Promise<Paged<T>>) | undefined;

  /** Starts over with the first page of `fetch`. */
  async reset(fetch: (cursor: string | undefined, signal: AbortSignal) => Promise<Paged<T>>): Promise<void> {
    this.#fetch = fetch;
    this.#changed = true;
    await this.#page(undefined);
  }

  async reload(): Promise<void> {
    await this.#page(undefined);
  }

  async more(): Promise<void> {
    if (this.next !== undefined && !this.loading) await this.#page(this.next);
  }

  async #page(cursor: string | undefined): Promise<void> {
    if (this.#fetch === undefined) return;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.loading = true;
    try {
      const page = await this.#fetch(cursor, abort.signal);
      if (abort.signal.aborted) return;
      this.items = cursor === undefined ? page.items : [...this.items, ...page.items];
      if (cursor === undefined || page.total !== undefined) this.total = page.total;
      this.next = page.next_cursor ?? undefined;
      this.error = undefined;
      this.first = false;
      this.#changed = false;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.error = asApiError(error);
      if (this.#changed) {
        this.items = [];
        this.next = undefined;
        this.total = undefined;
      }
    } finally {
      if (this.#abort === abort) this.loading = false;
    }
  }
}
