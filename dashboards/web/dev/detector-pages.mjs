// Vite plugin: a page of docs/detectors as a module that holds its title and its HTML, made at build time, so that the
// console needs neither a parser nor the network to show it.
import { basename } from 'node:path';

import { Marked } from 'marked';

const PAGE = /\/docs\/detectors\/[a-z_]+\.md$/;

/** Where a page's link leads in the console: to another detector, to another host, else nowhere. */
function target(href) {
  if (/^https?:\/\//.test(href)) return href;
  const page = /^(?:\.\/)?([a-z_]+)\.md(#[\w-]+)?$/.exec(href);
  return page ? `/docs/detectors/${page[1]}${page[2] ?? ''}` : undefined;
}

const marked = new Marked({
  walkTokens(token) {
    if (token.type === 'link') token.target = target(token.href);
  },
  renderer: {
    link(token) {
      const text = this.parser.parseInline(token.tokens);
      if (token.target === undefined) return text;
      const away = token.target.startsWith('http') ? ' rel="noreferrer"' : '';
      return `<a href="${token.target.replaceAll('"', '%22')}"${away}>${text}</a>`;
    },
    // Wide tables scroll by themselves, not the page.
    table(token) {
      const row = (cells, tag) => `<tr>${cells.map((cell) => `<${tag}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join('')}</tr>`;
      const body = token.rows.map((cells) => row(cells, 'td')).join('');
      return `<div class="wide"><table><thead>${row(token.header, 'th')}</thead><tbody>${body}</tbody></table></div>`;
    },
    // Pages are text; what looks like markup is shown as such.
    html: ({ text }) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;'),
  },
});

/** @returns {import('vite').Plugin} */
export function detectorPages() {
  return {
    name: 'detector-pages',
    transform(source, id) {
      if (!PAGE.test(id)) return undefined;
      const name = basename(id, '.md');
      // The title is the page's heading in the console.
      const html = marked.parse(source.replace(/^# .*\n/, ''));
      return { code: `export default ${JSON.stringify({ name, html })};`, map: null };
    },
  };
}
