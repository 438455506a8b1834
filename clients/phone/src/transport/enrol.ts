import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type { Device } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import type { Store } from './store.ts';
import { mayRetryLater } from './sending.ts';

export type Enrolled = 'linked' | 'later' | 'refused';

/** Keeps a code with an id of its own, so that a lost answer can be asked for again. */
export async function beginEnrolment(store: Store, code: string): Promise<void> {
  await store.set('enrolment', { id: uuid(), code: code.trim() });
}

/** Redeems the kept code; the code stays until the server has said yes or no. */
export async function redeem(store: Store, api: Api): Promise<Enrolled> {
  const pending = await store.get('enrolment');
  if (!pending) return 'refused';
  try {
    const body = { ...pending, platform: 'web' as const };
    const device = await read<Device>(api.POST('/v1/devices', { body }));
    await store.set('device', device);
    await store.forget('enrolment', 'self');
    return 'linked';
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (!(failure instanceof Problem) || mayRetryLater(failure)) return 'later';
    await store.forget('enrolment');
    return 'refused';
  }
}
