import { describe, expect, test } from 'vitest';
import type { TreeNode } from '@muster/shared/api/types.ts';
import { draftOf, editOf, parentsFor, rebased } from '../src/state/nodedraft.ts';

function node(name: string, more: Partial<TreeNode> = {}): TreeNode {
  return {
    node: name,
    parent: null,
    label: name,
    area: null,
    warden: 'W',
    alternates: ['A1', 'A2'],
    members: [],
    answer_s: null,
    ...more,
  };
}

describe('a node while it is edited', () => {
  test('unchanged it is written as it was read', () => {
    const read = node('N', { members: ['P1', 'P2'], answer_s: 90, area: 'X', parent: 'T' });
    expect(editOf(draftOf(read), 7, ' why ')).toEqual({
      label: 'N',
      parent: 'T',
      area: 'X',
      warden: 'W',
      alternates: ['A1', 'A2'],
      members: ['P1', 'P2'],
      answer_s: 90,
      reason: 'why',
      version: 7,
    });
    expect(editOf(draftOf(node('N')), 7, 'x').answer_s).toBeNull();
  });

  test('members may be pasted in any form and count once', () => {
    const draft = { ...draftOf(node('N')), members: 'P1, P2;P3\n\nP1  P4' };
    expect(editOf(draft, 1, 'x').members).toEqual(['P1', 'P2', 'P3', 'P4']);
  });

  test('a change by somebody else is not undone unseen', () => {
    const before = node('N');
    const mine = { ...draftOf(before), label: 'mine' };
    expect(rebased(mine, before, node('N', { score: 20 }))).toEqual(mine);
    expect(rebased(mine, before, node('N', { warden: 'V' }))).toEqual(
      draftOf(node('N', { warden: 'V' })),
    );
  });

  test('it cannot hang below itself', () => {
    const nodes = [
      node('T'),
      node('N', { parent: 'T' }),
      node('B', { parent: 'N' }),
      node('C', { parent: 'B' }),
    ];
    expect(parentsFor('N', nodes).map((one) => one.node)).toEqual(['T']);
  });
});
