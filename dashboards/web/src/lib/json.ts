// Cuts JSON text into pieces that can be coloured. Pure.

export interface JsonToken {
  kind: 'key' | 'text' | 'value' | 'mark';
  text: string;
}

const PIECES = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)|([^"\d\-tfn]+|.)/g;

export function jsonTokens(json: string): JsonToken[] {
  const tokens: JsonToken[] = [];
  for (const [whole, text, colon, value] of json.matchAll(PIECES)) {
    if (text !== undefined && colon !== undefined) {
      tokens.push({ kind: 'key', text }, { kind: 'mark', text: colon });
    } else if (text !== undefined) tokens.push({ kind: 'text', text });
    else tokens.push({ kind: value === undefined ? 'mark' : 'value', text: whole });
  }
  return tokens;
}
