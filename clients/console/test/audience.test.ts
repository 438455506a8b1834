import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Area, BoardPerson, CheckinEvent, Group } from '@muster/shared/api/types.ts';
import { areaRows, covered, topmost, treeOrder } from '../src/state/areas.ts';
import { NOBODY, toAudience, toggled } from '../src/state/audience.ts';
import { withoutAnswered } from '../src/state/people.ts';
import { fit, pan, toPoint, toSpot, zoom } from '../src/state/plan.ts';
import {
  isProblem,
  parseCorners,
  polygonProblem,
  toGeoJson,
  toText,
} from '../src/state/polygon.ts';

const area = (code: string, parent: string | null): Area => ({
  code,
  name: code,
  parent,
  kind: 'zone',
  lat: 0,
  lon: 0,
});
const AREAS = [area('Z1', 'CITY'), area('LAND', null), area('CITY', 'LAND'), area('Z2', 'CITY')];
const LINES = treeOrder(AREAS);

describe('areas', () => {
  test('are listed as a tree, strays of unknown parents at its root', () => {
    expect(LINES.map(({ code, depth }) => [code, depth])).toEqual([
      ['LAND', 0],
      ['CITY', 1],
      ['Z1', 2],
      ['Z2', 2],
    ]);
    expect(treeOrder([area('X', 'GONE')])[0]?.depth).toBe(0);
  });

  test('count those below them, and every person once at the root', () => {
    const group = (key: string, safe: number, unaccounted: number): Group => ({
      key,
      label: key,
      population: safe + unaccounted,
      counts: { safe, unaccounted, need_help: 0, away: 0 },
    });
    const rows = areaRows(AREAS, [
      group('Z1', 1, 2),
      group('CITY', 3, 0),
      group('ELSEWHERE', 1, 0),
    ]);
    expect(rows.map(({ key, population }) => [key, population])).toEqual([
      ['LAND', 6],
      ['CITY', 6],
      ['Z1', 3],
      ['ELSEWHERE', 1],
    ]);
  });

  test('picked with those below; only the topmost are sent', () => {
    const picked = new Set(['CITY', 'Z2']);
    expect([...covered(LINES, picked)].sort()).toEqual(['CITY', 'Z1', 'Z2']);
    expect(topmost(LINES, picked)).toEqual(['CITY']);
  });
});

describe('the audience', () => {
  test('is nothing until it is complete', () => {
    expect(toAudience(NOBODY, LINES)).toEqual({ all: true });
    for (const kind of ['areas', 'agencies', 'tree_node', 'polygon'] as const)
      expect(toAudience({ ...NOBODY, kind }, LINES)).toBeNull();
    const draft = { ...NOBODY, kind: 'agencies' as const, agencies: toggled(new Set(), 'WFP') };
    expect(toAudience(draft, LINES)).toEqual({ agencies: ['WFP'] });
    expect(toAudience({ ...draft, agencies: toggled(draft.agencies, 'WFP') }, LINES)).toBeNull();
  });

  test('of a polygon is closed and counter-clockwise', () => {
    const draft = { ...NOBODY, kind: 'polygon' as const, corners: '0, 0\n1, 0\n1, 1' };
    expect(toAudience(draft, LINES)).toEqual({
      polygon: {
        type: 'Polygon',
        coordinates: [
          [
            [1, 1],
            [0, 1],
            [0, 0],
            [1, 1],
          ],
        ],
      },
    });
  });
});

describe('corners', () => {
  test('what is wrong is named with its line', () => {
    expect(parseCorners('1, 2\nnorth')).toEqual({ kind: 'bad_line', line: 2 });
    expect(parseCorners('1, 2\n\n91, 0')).toEqual({ kind: 'bad_range', line: 3 });
    expect(parseCorners('{"type":"Point"}')).toEqual({ kind: 'bad_json' });
    expect(parseCorners('{')).toEqual({ kind: 'bad_json' });
    expect(polygonProblem([])).toEqual({ kind: 'few' });
    const bow = parseCorners('0, 0\n1, 1\n0, 1\n1, 0');
    expect(!isProblem(bow) && polygonProblem(bow)).toEqual({ kind: 'crosses' });
  });

  test('text and GeoJSON both lead back to the same corners', () => {
    const degree = (most: number) => fc.integer({ min: -most * 1e5, max: most * 1e5 });
    const corner = fc.record({ lat: degree(90), lon: degree(180) });
    fc.assert(
      fc.property(fc.array(corner, { minLength: 3, maxLength: 8 }), (raw) => {
        const corners = raw.map(({ lat, lon }) => ({ lat: lat / 1e5, lon: lon / 1e5 }));
        const read = parseCorners(toText(corners));
        if (isProblem(read)) throw new Error(read.kind);
        read.forEach((one, i) => {
          expect(one.lat).toBeCloseTo(corners[i]!.lat, 4);
          expect(one.lon).toBeCloseTo(corners[i]!.lon, 4);
        });
        const ring = toGeoJson(corners).coordinates[0]!;
        expect(ring[0]).toEqual(ring.at(-1));
        expect(ring).toHaveLength(corners.length + 1);
      }),
    );
  });
});

test('the plan: a place and its spot are each other’s, at any zoom and shift', () => {
  const degrees = (most: number) => fc.double({ min: -most, max: most, noNaN: true });
  fc.assert(
    fc.property(degrees(60), degrees(150), degrees(50), degrees(50), (lat, lon, x, y) => {
      const view = pan(
        zoom(
          fit([
            { lat, lon },
            { lat: lat + 1, lon: lon + 1 },
          ]),
          0.6,
        ),
        { x, y },
      );
      const place = { lat, lon };
      const back = toPoint(view, toSpot(view, place));
      expect(back.lat).toBeCloseTo(lat, 6);
      expect(back.lon).toBeCloseTo(lon, 6);
    }),
  );
});

test('who answered leaves the unaccounted, of that roll call only', () => {
  const people = ['P1', 'P2'].map((ref) => ({ ref }) as BoardPerson);
  const event: CheckinEvent = {
    from: 1,
    items: [{ person: { ref: 'P1' }, status: 'safe', alert_ids: ['a'] }],
  };
  expect(withoutAnswered(people, 'a', event).map(({ ref }) => ref)).toEqual(['P2']);
  expect(withoutAnswered(people, 'b', event)).toHaveLength(2);
});
