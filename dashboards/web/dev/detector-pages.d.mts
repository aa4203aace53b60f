import type { Plugin } from 'vite';

export function detectorPages(): Plugin;
