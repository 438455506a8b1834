import type { Area, Counts, Group } from '@muster/shared/api/types.ts';
import { addCounts, populationOf } from './headcount.ts';

export interface AreaLine {
  code: string;
  name: string;
  depth: number;
  parent: string | null;
}

/** Areas in the order of a tree, children under their parents. A parent that is unknown is a root. */
export function treeOrder(areas: Area[]): AreaLine[] {
  const known = new Set(areas.map((area) => area.code));
  const children = new Map<string | null, Area[]>();
  for (const area of areas) {
    const parent = area.parent && known.has(area.parent) ? area.parent : null;
    children.set(parent, [...(children.get(parent) ?? []), area]);
  }
  const lines: AreaLine[] = [];
  const walk = (parent: string | null, depth: number): void => {
    for (const { code, name } of children.get(parent) ?? []) {
      lines.push({ code, name, depth, parent });
      walk(code, depth + 1);
    }
  };
  walk(null, 0);
  return lines;
}

export interface AreaRow extends Group {
  depth: number;
}

/** The headcount by area with every area counting those below it; areas without anyone are left out. */
export function areaRows(areas: Area[], direct: Group[]): AreaRow[] {
  const lines = treeOrder(areas);
  const sums = new Map<string, Counts>(direct.map(({ key, counts }) => [key, counts]));
  for (const { code, parent } of [...lines].reverse()) {
    const own = sums.get(code);
    if (!own || parent === null) continue;
    const above = sums.get(parent);
    sums.set(parent, above ? addCounts(above, own) : own);
  }
  const inTree = lines.flatMap(({ code, name, depth }) => {
    const counts = sums.get(code);
    return counts
      ? [{ key: code, label: name, depth, counts, population: populationOf(counts) }]
      : [];
  });
  const known = new Set(lines.map((line) => line.code));
  const strays = direct.filter(({ key }) => !known.has(key)).map((row) => ({ ...row, depth: 0 }));
  return [...inTree, ...strays];
}

/** Everything at or below the given areas. */
export function covered(lines: AreaLine[], picked: ReadonlySet<string>): Set<string> {
  const inside = new Set<string>();
  for (const { code, parent } of lines)
    if (picked.has(code) || (parent !== null && inside.has(parent))) inside.add(code);
  return inside;
}

/** Of the given areas those that are not already inside another given one, in tree order. */
export function topmost(lines: AreaLine[], picked: ReadonlySet<string>): string[] {
  const inside = covered(lines, picked);
  return lines
    .filter(({ code, parent }) => picked.has(code) && !(parent !== null && inside.has(parent)))
    .map(({ code }) => code);
}
