// What people say of findings and incidents, in words: what each word means and what it does. Pure.
import type { Handling, HandlingState, Saying, Word } from './api/operators';
import { shortId } from './format';

/** The verdicts, in the order in which they are offered. */
export const VERDICTS = ['true', 'benign', 'expected_change', 'duplicate'] as const satisfies readonly Word[];
export type VerdictWord = (typeof VERDICTS)[number];

export const WORD_NAMES: Record<Word, string> = {
  acknowledged: 'Acknowledged',
  acknowledgement_withdrawn: 'Acknowledgement withdrawn',
  true: 'True',
  benign: 'Benign',
  expected_change: 'Expected change',
  duplicate: 'Duplicate',
  closed: 'Closed',
  reopened: 'Reopened',
};

export const VERDICT_MEANINGS: Record<VerdictWord, string> = {
  true: 'It was as it said: misuse, or a fault that somebody had to mend.',
  benign: 'The calls were legitimate, and nobody had to know.',
  expected_change: 'The calls were legitimate, and new on purpose: a launch, a move, a test.',
  duplicate: 'Another finding tells the same.',
};

export const STATE_NAMES: Record<HandlingState, string> = {
  new: 'New',
  acknowledged: 'Acknowledged',
  closed: 'Closed',
};

/** What a word does to messages; shown before it is said. */
export const ACKNOWLEDGING_DOES = 'Ends its repeated messages and its escalation until it becomes graver. New findings are told as before.';
export const CLOSING_DOES = 'Leaves the list of what is to be done. Like an acknowledgement it ends repeated messages and escalation until it becomes graver.';
export const VERDICT_DOES = 'Counts towards the precision of its detector, and ends repeated messages and escalation as an acknowledgement does.';
export const REOPENING_DOES = 'Takes back the verdict. If it still goes on, it is repeated and escalated again.';

export function isVerdict(word: Word): word is VerdictWord {
  return (VERDICTS as readonly Word[]).includes(word);
}

/** What a badge says: the verdict where there is one, else the state. */
export function handlingText(handling: Handling | undefined): string {
  if (handling === undefined) return STATE_NAMES.new;
  const verdict = handling.verdict === undefined ? undefined : WORD_NAMES[handling.verdict.word].toLowerCase();
  const state = STATE_NAMES[handling.state];
  return verdict === undefined ? state : `${state}, ${verdict}`;
}

/** One line of the history: `Duplicate of fnd_0000…0001: same calls`. */
export function sayingText(saying: Saying): string {
  const name = WORD_NAMES[saying.word];
  return saying.duplicate_of === undefined ? name : `${name} of ${shortId(saying.duplicate_of)}`;
}

/** What can be said next of something that stands like this. */
export function nextWords(state: HandlingState): { acknowledge: boolean; withdraw: boolean; reopen: boolean } {
  return { acknowledge: state === 'new', withdraw: state === 'acknowledged', reopen: state === 'closed' };
}
