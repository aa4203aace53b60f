// Which places a token is known to come from. Pure.
import type { Place, TokenProfile } from './api/types';
import { countryName } from './format';

export interface JudgedPlace extends Place {
  /** Whether the token's habits hold this network; unknown while there is no mature baseline. */
  known: boolean | undefined;
}

/** Joins places with the habits: a network is known when the profile holds it. Most calls first, new ones before. */
export function judgePlaces(places: Place[], profile: TokenProfile | null): JudgedPlace[] {
  const networks = new Set(profile?.places.map((place) => place.asn ?? place.country));
  const judged = places.map((place) => ({
    ...place,
    known: profile?.mature === true ? networks.has(place.asn ?? place.country) : undefined,
  }));
  return judged.toSorted((a, b) => Number(a.known ?? true) - Number(b.known ?? true) || b.calls - a.calls);
}

/** Whether `text` is a whole address: parts of one cannot be filtered by. */
export function isAddress(text: string): boolean {
  const v4 = /^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split('.').every((part) => Number(part) < 256);
  if (v4) return true;
  if (!/^[0-9a-f:]+$/i.test(text)) return false;
  const groups = text.split(':');
  if (!groups.every((group) => group.length <= 4)) return false;
  const halves = text.split('::');
  return halves.length === 2 ? groups.length <= 9 : halves.length === 1 && groups.length === 8 && !groups.includes('');
}

/** Frankfurt, Germany */
export function placeName(place: Pick<Place, 'city' | 'country'>): string {
  const country = place.country === undefined ? 'Unknown place' : countryName(place.country);
  return place.city === undefined ? country : `${place.city}, ${country}`;
}

/** AS3320 Deutsche Telekom AG */
export function networkName(place: { asn?: number; as_org?: string }): string {
  return [place.asn === undefined ? '' : `AS${place.asn}`, place.as_org ?? ''].filter((part) => part !== '').join(' ');
}
