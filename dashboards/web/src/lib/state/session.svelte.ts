// Who is logged in. The cookie is out of reach of scripts, so a hint that there was a login is kept beside it: without
// one the server need not be asked, and a first visit causes no refused request.
import { api, ApiError, onUnauthorized } from '../api/client';
import type { User } from '../api/types';

const HINT = 'tokenwatch.session';

type State = 'asking' | 'out' | 'in' | 'away';

class Session {
  state: State = $state('asking');
  user: User | undefined = $state.raw();

  /** Viewers look; what changes something is for administrators. The server has the last word. */
  get isAdmin(): boolean {
    return this.user?.role === 'admin';
  }

  constructor() {
    onUnauthorized(() => this.#ended());
  }

  /** Asks the server; `away` when it does not answer. */
  async ask(): Promise<void> {
    if (!hinted()) return this.#ended();
    try {
      this.#begun((await api.session()).user);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#ended();
      else if (this.state === 'asking') this.state = 'away';
    }
  }

  async login(username: string, password: string): Promise<void> {
    this.#begun((await api.login(username, password)).user);
  }

  async logout(): Promise<void> {
    await api.logout();
    this.#ended();
  }

  #begun(user: User): void {
    this.user = user;
    this.state = 'in';
    hint(true);
  }

  #ended(): void {
    this.user = undefined;
    this.state = 'out';
    hint(false);
  }
}

function hinted(): boolean {
  try {
    return localStorage.getItem(HINT) !== null;
  } catch {
    return true; // Storage is blocked: the server has to say.
  }
}

function hint(loggedIn: boolean): void {
  try {
    if (loggedIn) localStorage.setItem(HINT, '1');
    else localStorage.removeItem(HINT);
  } catch {
    // Storage is blocked: every visit asks the server.
  }
}

export const session = new Session();
