// Dark or light: the system's preference until somebody chooses; `public/theme.js` applies the choice before paint.

export type Theme = 'dark' | 'light';

const KEY = 'tokenwatch.theme';
const preference = matchMedia('(prefers-color-scheme: dark)');

class ThemeChoice {
  current: Theme = $state('dark');

  constructor() {
    this.#read();
    preference.addEventListener('change', () => this.#read());
  }

  toggle(): void {
    const next: Theme = this.current === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = next;
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Storage is blocked: the choice lasts as long as the page.
    }
    this.#read();
  }

  #read(): void {
    const chosen = document.documentElement.dataset['theme'];
    if (chosen === 'dark' || chosen === 'light') this.current = chosen;
    else this.current = preference.matches ? 'dark' : 'light';
  }
}

export const theme = new ThemeChoice();
