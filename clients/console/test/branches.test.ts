import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AlertNode, AlertTree } from '@muster/shared/api/types.ts';
import {
  branches,
  moves,
  secondsSince,
  secondsUntil,
  stateCounts,
  type Branch,
} from '../src/state/branches.ts';
import { reasonWord } from '../src/views/tree/reasons.ts';

function node(name: string, more: Partial<AlertNode> = {}): AlertNode {
  return {
    node: name,
    label: name,
    parent: null,
    warden: null,
    alternates: [],
    state: 'open',
    state_why: null,
    asked_at: null,
    acknowledged_at: null,
    opened_at: null,
    in_charge: null,
    charged_at: null,
    passed_up_at: null,
    desk_at: null,
    people: 2,
    counts: { safe: 1, need_help: 0, away: 0, unaccounted: 1 },
    next: null,
    ...more,
  };
}

function names(list: Branch[]): string[] {
  return list.flatMap((branch) => [branch.node, ...names(branch.children)]);
}

const tree = (nodes: AlertNode[]) => ({ nodes }) as AlertTree;

describe('branches', () => {
  test('stand under their parents and sum what is below them', () => {
    const help = { safe: 0, need_help: 2, away: 0, unaccounted: 3 };
    const { roots } = branches([
      node('top'),
      node('zone', { parent: 'top' }),
      node('block', { parent: 'zone', counts: help, people: 5 }),
    ]);
    expect(roots.map((branch) => branch.node)).toEqual(['top']);
    expect(roots[0]!.below).toEqual({ unaccounted: 4, need_help: 2, people: 7 });
    expect(roots[0]!.children[0]!.below).toEqual({ unaccounted: 3, need_help: 2, people: 5 });
  });

  test('the duty desk has its own only where somebody is in it', () => {
    expect(branches([node('', { people: 0 }), node('a')]).desk).toBeNull();
    expect(branches([node('', { people: 1 }), node('a')]).desk?.people).toBe(1);
    expect(stateCounts([node(''), node('a'), node('b', { state: 'asked' })])).toEqual({
      asked: 1,
      waiting: 0,
      open: 1,
      skipped: 0,
    });
  });

  test('every node is shown once, whatever the parents say: circles and strays too', () => {
    const parents = fc.array(fc.integer({ min: -1, max: 7 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(parents, (above) => {
        const nodes = above.map((parent, index) =>
          node(`n${index}`, { parent: parent < 0 ? null : `n${parent}` }),
        );
        const shown = names(branches(nodes).roots);
        expect(shown.sort()).toEqual(nodes.map((one) => one.node).sort());
      }),
    );
  });
});

describe('what is shown grows old', () => {
  test('while a branch is asked or waits, or a step is due', () => {
    const next = { act: 'up', due_at: '2026-11-23T10:00:00Z' } as const;
    expect(moves(tree([node('a')]))).toBe(false);
    expect(moves(tree([]))).toBe(true);
    expect(moves(tree([node('a'), node('b', { state: 'asked' })]))).toBe(true);
    expect(moves(tree([node('a', { state: 'waiting' })]))).toBe(true);
    expect(moves(tree([node('a', { next })]))).toBe(true);
  });

  test('times are counted on the clock that is given, and never run backwards', () => {
    const at = '2026-11-23T10:00:00Z';
    expect(secondsUntil(at, Date.parse(at) - 90_000)).toBe(90);
    expect(secondsUntil(at, Date.parse(at) + 5_000)).toBe(0);
    expect(secondsSince(at, Date.parse(at) + 5_000)).toBe(5);
    expect(secondsSince(at, Date.parse(at) - 5_000)).toBe(0);
  });
});

describe('the server’s reasons', () => {
  test('are said in the user’s words; one that is not known is shown as it is', () => {
    expect(reasonWord('12 messages to 8')).toBe('12 messages to 8 people');
    expect(reasonWord('opened: no answer in time; no alternate can be told')).toBe(
      'No answer in time. No alternate can be told.',
    );
    expect(reasonWord('something new')).toBe('something new');
  });
});
