/** The flat plan on which a polygon is drawn: degrees to pixels and back. No map, only the areas. */
import type { Point } from './polygon.ts';

export const WIDTH = 640;
export const HEIGHT = 400;

export interface View {
  centre: Point;
  /** degrees of latitude from top to bottom */
  span: number;
}

export interface Spot {
  x: number;
  y: number;
}

/** A view that holds all points, with a margin. */
export function fit(points: Point[]): View {
  if (!points.length) return { centre: { lat: 0, lon: 0 }, span: 120 };
  const lats = points.map((point) => point.lat);
  const lons = points.map((point) => point.lon);
  const centre = { lat: middle(lats), lon: middle(lons) };
  const wide = (spread(lons) * shrink(centre.lat) * HEIGHT) / WIDTH;
  return { centre, span: Math.max(0.02, Math.max(spread(lats), wide) * 1.3) };
}

export function toSpot(view: View, { lat, lon }: Point): Spot {
  const scale = HEIGHT / view.span;
  return {
    x: WIDTH / 2 + (lon - view.centre.lon) * shrink(view.centre.lat) * scale,
    y: HEIGHT / 2 - (lat - view.centre.lat) * scale,
  };
}

export function toPoint(view: View, { x, y }: Spot): Point {
  const scale = HEIGHT / view.span;
  return {
    lat: clamp(view.centre.lat - (y - HEIGHT / 2) / scale, 90),
    lon: clamp(view.centre.lon + (x - WIDTH / 2) / scale / shrink(view.centre.lat), 180),
  };
}

export function zoom(view: View, factor: number): View {
  return { ...view, span: Math.min(180, Math.max(0.002, view.span * factor)) };
}

export function pan(view: View, by: Spot): View {
  return { ...view, centre: toPoint(view, { x: WIDTH / 2 - by.x, y: HEIGHT / 2 - by.y }) };
}

/** How much shorter a degree of longitude is than one of latitude. */
function shrink(lat: number): number {
  return Math.max(0.05, Math.cos((lat * Math.PI) / 180));
}

function middle(values: number[]): number {
  return (Math.min(...values) + Math.max(...values)) / 2;
}

function spread(values: number[]): number {
  return Math.max(...values) - Math.min(...values);
}

function clamp(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value));
}
