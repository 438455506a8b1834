/** What is asked of the server with a PIN. The PIN is never kept on this phone. */
import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';

/** later: no answer; over: there is nothing left to take back; lost: not this phone's to ask */
export type PinAnswer = 'right' | 'wrong' | 'not_set' | 'too_many' | 'later' | 'over' | 'lost';

/** Takes a call for help back. The PIN for duress is sent and answered in the same way. */
export function takeBack(api: Api, panic_id: string, pin: string): Promise<PinAnswer> {
  const params = { path: { panic_id } };
  return answered(api.POST('/v1/panics/{panic_id}/cancel', { params, body: { pin } }));
}

/** Asks whether a PIN opens the app; the one for duress does. */
export function verify(api: Api, pin: string): Promise<PinAnswer> {
  return answered(api.POST('/v1/self/pin/verify', { body: { pin } }));
}

/** Sets both PINs; `old` where there is one. */
export function choose(api: Api, pin: string, duress: string, old?: string): Promise<PinAnswer> {
  const body = { pin, duress_pin: duress, old_pin: old };
  return answered(api.PUT('/v1/self/pin', { body }));
}

async function answered(call: Parameters<typeof read>[0]): Promise<PinAnswer> {
  try {
    await read(call);
    return 'right';
  } catch (thrown) {
    const failure = asFailure(thrown);
    return failure instanceof Problem ? meaning(failure) : 'later';
  }
}

function meaning({ code, status }: Problem): PinAnswer {
  if (code === 'pin_wrong') return 'wrong';
  if (code === 'pin_not_set') return 'not_set';
  if (code === 'panic_over') return 'over';
  if (status === 429) return 'too_many';
  return status >= 500 ? 'later' : 'lost';
}
