// The address bar as state, by the History API. Links are plain `<a href="/…">`; clicks on them are taken over here.
import { type Route, routeOf } from '../routes';

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  readonly route: Route = $derived(routeOf(this.path));
  readonly query = $derived(new URLSearchParams(this.search));

  /** Follows back, forward and clicks on links; the result undoes it. */
  start(): () => void {
    addEventListener('popstate', this.#read);
    document.addEventListener('click', this.#click);
    return () => {
      removeEventListener('popstate', this.#read);
      document.removeEventListener('click', this.#click);
    };
  }

  go(to: string, options: { replace?: boolean } = {}): void {
    const url = new URL(to, location.href);
    const samePage = url.pathname === this.path;
    if (options.replace === true) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
    this.#read();
    if (!samePage) scrollTo(0, 0);
  }

  /** Replaces some query parameters of this page; empty ones go away. */
  setQuery(change: Record<string, string | undefined>): void {
    const query = new URLSearchParams(this.search);
    for (const [key, value] of Object.entries(change)) {
      if (value === undefined || value === '') query.delete(key);
      else query.set(key, value);
    }
    const text = query.toString();
    this.go(this.path + (text === '' ? '' : `?${text}`), { replace: true });
  }

  #read = (): void => {
    this.path = location.pathname;
    this.search = location.search;
  };

  #click = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download')) return;
    if (link.origin !== location.origin || link.getAttribute('href')?.startsWith('#')) return;
    event.preventDefault();
    this.go(link.href);
  };
}

export const router = new Router();
