/**
 * The headcount of one roll call out of snapshots and stream events.
 *
 * Every cell remembers the stream number it is known from, and the newer knowledge wins. So what
 * arrives twice, late, merged or in another order changes nothing: the result is the refetch's.
 */
import type {
  CellCount,
  Counts,
  Group,
  Headcount,
  HeadcountEvent,
} from '@muster/shared/api/types.ts';

interface Cell extends CellCount {
  seq: number;
}

export interface Board {
  readonly cells: ReadonlyMap<string, Cell>;
  /** the newest snapshot: labels, parity, late answers and the rest that events do not carry */
  readonly snapshot: Headcount;
  /** those expected elsewhere, as of the newest snapshot or event */
  readonly elsewhere: Counts;
  readonly elsewhereSeq: number;
}

export type Grouping = 'area' | 'agency' | 'category';

const NO_COUNTS: Counts = { safe: 0, need_help: 0, away: 0, unaccounted: 0 };

export function fromSnapshot(snapshot: Headcount): Board {
  const start = {
    cells: new Map<string, Cell>(),
    snapshot,
    elsewhere: NO_COUNTS,
    elsewhereSeq: -1,
  };
  return addSnapshot(start, snapshot);
}

/** A snapshot is complete as of its number: what it does not list is nobody. */
export function addSnapshot(board: Board, snapshot: Headcount): Board {
  const { seq } = snapshot;
  if (seq < board.snapshot.seq) return board;
  const cells = new Map<string, Cell>();
  for (const cell of snapshot.cells) cells.set(keyOf(cell), { ...cell, seq });
  for (const [key, cell] of board.cells) if (cell.seq > seq) cells.set(key, cell);
  const newer = seq > board.elsewhereSeq;
  return {
    cells,
    snapshot,
    elsewhere: newer ? snapshot.expected.elsewhere.counts : board.elsewhere,
    elsewhereSeq: Math.max(seq, board.elsewhereSeq),
  };
}

/** @param id the last stream number the event stands for */
export function addEvent(board: Board, id: number, event: HeadcountEvent): Board {
  if (id <= board.snapshot.seq) return board;
  const cells = new Map(board.cells);
  for (const cell of event.cells) {
    const key = keyOf(cell);
    if ((cells.get(key)?.seq ?? -1) < id) cells.set(key, { ...cell, seq: id });
  }
  if (id <= board.elsewhereSeq) return { ...board, cells };
  return { ...board, cells, elsewhere: event.elsewhere, elsewhereSeq: id };
}

/** Whether the event's own totals are what the cells add up to; if not, something was missed. */
export function agrees(board: Board, event: HeadcountEvent): boolean {
  const sum = totals(board);
  return (Object.keys(sum) as (keyof Counts)[]).every((key) => sum[key] === event.counts[key]);
}

export function totals(board: Board): Counts {
  const counts = { ...NO_COUNTS };
  for (const cell of board.cells.values()) counts[cell.status] += cell.count;
  return counts;
}

export function populationOf(counts: Counts): number {
  return counts.safe + counts.need_help + counts.away + counts.unaccounted;
}

export function accountedOf(counts: Counts): number {
  return counts.safe + counts.need_help + counts.away;
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    safe: a.safe + b.safe,
    need_help: a.need_help + b.need_help,
    away: a.away + b.away,
    unaccounted: a.unaccounted + b.unaccounted,
  };
}

/** The counts by one of the three groupings, in the snapshot's order, newcomers last. */
export function groups(board: Board, by: Grouping): Group[] {
  const sums = new Map<string, Counts>();
  for (const { key } of board.snapshot.by[by]) sums.set(key, { ...NO_COUNTS });
  for (const cell of board.cells.values()) {
    const counts = sums.get(cell[by]) ?? { ...NO_COUNTS };
    counts[cell.status] += cell.count;
    sums.set(cell[by], counts);
  }
  const labels = new Map(board.snapshot.by[by].map(({ key, label }) => [key, label]));
  return [...sums]
    .map(([key, counts]) => ({
      key,
      label: labels.get(key) ?? key,
      population: populationOf(counts),
      counts,
    }))
    .filter((group) => group.population > 0);
}

function keyOf(cell: CellCount): string {
  return JSON.stringify([cell.area, cell.agency, cell.category, cell.status]);
}
