/** A movement of the whole station, told to the real server as its desk and checkers would. */
import { asked } from './field.ts';
import type { Station } from './station.ts';

interface Person {
  ref: string;
  name: string;
  stage: string;
}

export interface Moving {
  id: string;
  path: string;
  /** points by name */
  points: Record<'Gate' | 'Camp' | 'Haven', string>;
  people: Person[];
  /** stages of people, now or so many seconds ago */
  say(
    items: { ref: string; stage: string; ago?: number; [more: string]: unknown }[],
  ): Promise<void>;
}

/** Gate -> Camp by vehicles 1 and 2, Camp -> Haven by vehicle 3; its people are listed. */
export async function prepare(
  station: Station,
  title: string,
  more: { exercise?: boolean; seats?: number } = {},
): Promise<Moving> {
  const id = crypto.randomUUID();
  const path = `/v1/movements/${id}`;
  const areas = await asked<{ items: { code: string; parent: string | null }[] }>(
    station,
    'GET',
    '/v1/areas',
  );
  await asked(station, 'POST', '/v1/movements', {
    id,
    title,
    kind: 'relocation',
    reach: 'inside',
    authority: 'Designated Official',
    exercise: more.exercise ?? false,
    origins: areas.items.filter(({ parent }) => parent === null).map(({ code }) => code),
  });
  const points = await plan(station, path, more.seats ?? 30);
  const people = await listed(station, path);
  const say: Moving['say'] = async (said) => {
    const now = Date.now();
    const items = said.map(({ ref, ago = 0, ...rest }) => ({
      id: crypto.randomUUID(),
      movement: id,
      for: ref,
      at: new Date(now - ago * 1_000).toISOString(),
      ...rest,
    }));
    const answer = await asked<{ items: { error?: unknown }[] }>(
      station,
      'POST',
      '/v1/stage-reports',
      { items },
    );
    const wrong = answer.items.filter(({ error }) => error);
    if (wrong.length) throw new Error(`Refused: ${JSON.stringify(wrong)}`);
  };
  return { id, path, points, people, say };
}

async function plan(station: Station, path: string, seats: number): Promise<Moving['points']> {
  const made = () => crypto.randomUUID();
  const points = { Gate: made(), Camp: made(), Haven: made() };
  const kinds = { Gate: 'concentration', Camp: 'concentration', Haven: 'safe_haven' } as const;
  for (const name of ['Gate', 'Camp', 'Haven'] as const) {
    const capacity = name === 'Haven' ? 40 : null;
    const body = { kind: kinds[name], name, capacity };
    await asked(station, 'PUT', `${path}/points/${points[name]}`, body);
  }
  const past = new Date(Date.now() - 600_000).toISOString();
  const legs = [
    { id: made(), from: points.Gate, to: points.Camp, arrives_at: past, numbers: [1, 2] },
    { id: made(), from: points.Camp, to: points.Haven, arrives_at: null, numbers: [3] },
  ];
  for (const [place, { id, numbers, ...leg }] of legs.entries()) {
    const body = { kind: 'road', position: place + 1, ...leg };
    await asked(station, 'PUT', `${path}/legs/${id}`, body);
    for (const number of numbers) {
      const callsign = number === 1 ? 'KILO 1' : null;
      const vehicle = { leg: id, number, label: `Bus ${number}`, seats, callsign };
      await asked(station, 'PUT', `${path}/vehicles/${made()}`, vehicle);
    }
  }
  return points;
}

/** The people, as soon as they are listed. */
async function listed(station: Station, path: string): Promise<Person[]> {
  for (;;) {
    const { movement } = await asked<{ movement: { state: string } }>(station, 'GET', path);
    if (movement.state !== 'preparing') break;
    await new Promise((done) => setTimeout(done, 200));
  }
  return (await asked<{ items: Person[] }>(station, 'GET', `${path}/people`)).items;
}
