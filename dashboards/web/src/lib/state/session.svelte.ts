// Who is logged in.
import { api, ApiError, onUnauthorized } from '../api/client';
import type { User } from '../api/types';

type State = 'asking' | 'out' | 'in' | 'away';

class Session {
  state: State = $state('asking');
  user: User | undefined = $state.raw();

  constructor() {
    onUnauthorized(() => this.#ended());
  }

  /** Asks the server; `away` when it does not answer. */
  async ask(): Promise<void> {
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
  }

  #ended(): void {
    this.user = undefined;
    this.state = 'out';
  }
}

export const session = new Session();
