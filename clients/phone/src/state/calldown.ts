/** The call-down list in the order to call: who needs help, who is silent, then the rest. Pure. */
import type { BranchAlert, BranchList, BranchPerson, Status } from '@muster/shared/api/types.ts';
import type { Entry } from '../transport/store.ts';
import { byWeight, standingOf } from './present.ts';

export interface Section {
  /** null: not asked in this roll call */
  status: Status | null;
  people: BranchPerson[];
}

const ORDER: (Status | null)[] = ['need_help', 'unaccounted', 'away', 'safe', null];

/** Sections in the order to call; names as the server sorted them; empty ones are left out. */
export function sections(list: BranchList, alert: BranchAlert | null, entries: Entry[]): Section[] {
  const found = new Map<Status | null, BranchPerson[]>();
  for (const person of list.items) {
    const status = standingOf(alert, person, entries);
    found.set(status, [...(found.get(status) ?? []), person]);
  }
  return ORDER.flatMap((status) => {
    const people = found.get(status);
    return people ? [{ status, people }] : [];
  });
}

/** Open roll calls, the one that matters most first. */
export function callsOf(list: BranchList | null): BranchAlert[] {
  return (list?.alerts ?? []).filter(({ kind }) => kind === 'rollcall').sort(byWeight);
}
