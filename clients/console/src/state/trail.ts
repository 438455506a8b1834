/** Positions of a panic as a plan: metres east and north of its middle, drawn to one scale. Pure. */
import type { PanicPosition } from '@muster/shared/api/types.ts';

export interface Dot {
  x: number;
  y: number;
  /** the accuracy's radius; null: not known */
  r: number | null;
  position: PanicPosition;
}

export interface Plan {
  dots: Dot[];
  /** plan units of the scale bar, and the metres it stands for */
  bar: { length: number; metres: number };
}

/** Degrees as they are read out: to a metre, or to what is left of a position made coarse. */
export function coordinates({ lat, lon, coarse }: PanicPosition): string {
  const digits = coarse ? 2 : 5;
  return `${lat.toFixed(digits)}, ${lon.toFixed(digits)}`;
}

const METRES_A_DEGREE = 111_320;
/** nothing is drawn larger than this many metres a unit would make it look: one fix has no extent */
const LEAST_M = 40;

/** The shortest way round from one longitude to another, in degrees. */
const turn = (from: number, to: number): number => ((((to - from + 540) % 360) + 360) % 360) - 180;

/** A round number of metres (1, 2 or 5 times a power of ten), at most this many. */
export function roundMetres(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((step) => step * power).find((metres) => metres <= most + 1e-9) ?? power;
}

/** Fits the trail with its circles into a plan of this size; null without a position. */
export function planOf(positions: PanicPosition[], width: number, height: number): Plan | null {
  const first = positions[0];
  if (!first) return null;
  const east = Math.cos((first.lat * Math.PI) / 180) * METRES_A_DEGREE;
  const spots = positions.map((position) => ({
    position,
    x: turn(first.lon, position.lon) * east,
    y: (first.lat - position.lat) * METRES_A_DEGREE,
    r: position.accuracy,
  }));
  const [left, right] = span(spots.map(({ x, r }) => [x, r ?? 0]));
  const [top, bottom] = span(spots.map(({ y, r }) => [y, r ?? 0]));
  const metres = Math.max((right - left) / width, (bottom - top) / height, LEAST_M / width) * 1.12;
  const dots = spots.map(({ x, y, r, position }) => ({
    x: width / 2 + (x - (left + right) / 2) / metres,
    y: height / 2 + (y - (top + bottom) / 2) / metres,
    r: r === null ? null : r / metres,
    position,
  }));
  const long = roundMetres((width / 3) * metres);
  return { dots, bar: { length: long / metres, metres: long } };
}

function span(spots: [middle: number, radius: number][]): [number, number] {
  return [
    Math.min(...spots.map(([middle, radius]) => middle - radius)),
    Math.max(...spots.map(([middle, radius]) => middle + radius)),
  ];
}
