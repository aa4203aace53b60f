// Keyboard commands of the whole console. Rows of lists are links marked `data-row`; Enter follows them by itself.
import { router } from './state/router.svelte';

const PLACES: Record<string, string> = { o: '/', i: '/incidents', f: '/findings', t: '/tokens', r: '/responses', l: '/ledger', s: '/silences', d: '/detectors', a: '/audit' };
/** How long `g` waits for the letter of a page. */
const CHORD_MS = 1200;

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}

function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  if (rows.length === 0) return;
  const current = rows.findIndex((row) => row === document.activeElement);
  const next = current === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, current + step));
  rows[next]?.focus();
  rows[next]?.scrollIntoView({ block: 'nearest' });
}

/** Listens for commands; `help` opens the list of them. The result ends it. */
export function listenForKeys(help: () => void): () => void {
  let chordUntil = 0;

  function onKey(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
    if (typing(event.target)) {
      if (event.key === 'Escape') (event.target as HTMLElement).blur();
      return;
    }
    if (document.querySelector('dialog[open]') !== null) return;
    const place = event.timeStamp < chordUntil ? PLACES[event.key] : undefined;
    chordUntil = event.key === 'g' ? event.timeStamp + CHORD_MS : 0;
    if (place !== undefined) router.go(place);
    else if (event.key === 'j') moveRow(1);
    else if (event.key === 'k') moveRow(-1);
    else if (event.key === '?') help();
    else if (event.key === '/') document.querySelector<HTMLElement>('[data-global-search]')?.focus();
    else return;
    event.preventDefault();
  }

  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}
