import type { Polygon } from '@muster/shared/api/types.ts';

export interface Point {
  lat: number;
  lon: number;
}

export type PolygonProblem =
  { kind: 'few' | 'bad_json' | 'crosses' } | { kind: 'bad_line' | 'bad_range'; line: number };

/** Corners out of what was typed or pasted: lines of "lat, lon", or a GeoJSON polygon or feature. */
export function parseCorners(text: string): Point[] | PolygonProblem {
  const trimmed = text.trim();
  return trimmed.startsWith('{') ? parseGeoJson(trimmed) : parseLines(trimmed);
}

export function isProblem(parsed: Point[] | PolygonProblem): parsed is PolygonProblem {
  return !Array.isArray(parsed);
}

/** Why these corners are no area, or null where they are one. */
export function polygonProblem(corners: Point[]): PolygonProblem | null {
  if (corners.length < 3) return { kind: 'few' };
  return crossesItself(corners) ? { kind: 'crosses' } : null;
}

/** A closed ring, counter-clockwise as RFC 7946 wants it. */
export function toGeoJson(corners: Point[]): Polygon {
  const ring = corners.map(({ lat, lon }): [number, number] => [lon, lat]);
  if (signedArea(corners) < 0) ring.reverse();
  return { type: 'Polygon', coordinates: [[...ring, ring[0]!]] };
}

export function toText(corners: Point[]): string {
  return corners.map(({ lat, lon }) => `${lat.toFixed(5)}, ${lon.toFixed(5)}`).join('\n');
}

function parseLines(text: string): Point[] | PolygonProblem {
  const corners: Point[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (!line.trim()) continue;
    const parts = line.trim().split(/[,;\s]+/);
    const [lat, lon] = parts.map(Number);
    if (parts.length !== 2 || !Number.isFinite(lat) || !Number.isFinite(lon))
      return { kind: 'bad_line', line: index + 1 };
    const corner = { lat: lat!, lon: lon! };
    if (!inRange(corner)) return { kind: 'bad_range', line: index + 1 };
    corners.push(corner);
  }
  return corners;
}

function parseGeoJson(text: string): Point[] | PolygonProblem {
  try {
    const parsed = JSON.parse(text) as { geometry?: Polygon } & Partial<Polygon>;
    const { type, coordinates } = parsed.geometry ?? parsed;
    const ring = coordinates?.[0];
    if (type !== 'Polygon' || !ring || coordinates.length !== 1) return { kind: 'bad_json' };
    const corners = ring.map(([lon, lat]) => ({ lat, lon }));
    if (!corners.every(inRange)) return { kind: 'bad_json' };
    const [first, last] = [corners[0], corners.at(-1)];
    const closed = first?.lat === last?.lat && first?.lon === last?.lon;
    return closed ? corners.slice(0, -1) : corners;
  } catch {
    return { kind: 'bad_json' };
  }
}

function inRange({ lat, lon }: Point): boolean {
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
}

function signedArea(corners: Point[]): number {
  let sum = 0;
  for (const [a, b] of edges(corners)) sum += a.lon * b.lat - b.lon * a.lat;
  return sum / 2;
}

function edges(corners: Point[]): [Point, Point][] {
  return corners.map((corner, index) => [corner, corners[(index + 1) % corners.length]!]);
}

function crossesItself(corners: Point[]): boolean {
  const all = edges(corners);
  return all.some(([a, b], i) =>
    all.some(([c, d], j) => {
      const neighbours = i === j || (i + 1) % all.length === j || (j + 1) % all.length === i;
      return !neighbours && cross(a, b, c, d);
    }),
  );
}

function cross(a: Point, b: Point, c: Point, d: Point): boolean {
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

function side(a: Point, b: Point, p: Point): number {
  return Math.sign((b.lon - a.lon) * (p.lat - a.lat) - (b.lat - a.lat) * (p.lon - a.lon));
}
