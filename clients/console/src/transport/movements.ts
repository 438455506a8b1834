/** What the desk asks and says about movements. */
import { read, readAll, type Api } from '@muster/shared/api/client.ts';
import type { Movement, MovementBoard, Page } from '@muster/shared/api/types.ts';

const PAGE = 100;
const ONE = '/v1/movements/{movement_id}';

export const named = (id: string) => ({ path: { movement_id: id } });

/** Movements, newest first. */
export function listMovements(api: Api): Promise<Movement[]> {
  return readAll((cursor) => {
    const query = { limit: PAGE, cursor };
    return read<Page<Movement>>(api.GET('/v1/movements', { params: { query } }));
  }, PAGE);
}

export function readBoard(api: Api, id: string): Promise<MovementBoard> {
  return read(api.GET(ONE, { params: named(id) }));
}
