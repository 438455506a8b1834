import { createApi, type Api } from '@muster/shared/api/client.ts';
import type { Store } from './store.ts';

/** The API as this phone: with its token once it is linked. */
export function phoneApi(store: Store, timeoutMs?: number): Api {
  return createApi({
    timeoutMs,
    async headers(): Promise<Record<string, string>> {
      const device = await store.get('device');
      return device ? { Authorization: `Bearer ${device.token}` } : {};
    },
  });
}
