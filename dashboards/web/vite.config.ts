// Builds the console into dist/, which the dashboards crate embeds in the binary.
// Nothing is inlined (`data:` fonts and inline scripts would break the Content-Security-Policy).
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

import { detectorPages } from './dev/detector-pages.mjs';

export default defineConfig({
  plugins: [svelte({ configFile: false }), detectorPages()],
  build: {
    target: ['chrome123', 'firefox128', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 300,
  },
  server: {
    host: '127.0.0.1',
    fs: { allow: ['.', '../../docs/detectors'] },
    proxy: { '/api': 'http://127.0.0.1:4180' },
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
