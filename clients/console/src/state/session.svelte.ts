import { createApi, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type { Session } from '@muster/shared/api/types.ts';
import { restoreSession, signIn, signOut } from '../transport/calls.ts';

const RESTORE_MS = 5_000;

export type SignedIn = 'unknown' | 'in' | 'out';
export type SignInTrouble = 'refused' | 'unreachable' | 'ended' | null;

/** Who sits at this console. The CSRF token lives here only, in memory. */
export class Desk {
  state = $state<SignedIn>('unknown');
  session = $state.raw<Session | null>(null);
  trouble = $state<SignInTrouble>(null);

  readonly api: Api = createApi({ headers: () => this.headers() });

  /** Takes up the cookie's session, or signs in with the code of a link. */
  async start(code: string | null): Promise<void> {
    if (code) await this.signIn(code);
    else await this.restore();
  }

  /** Takes up the cookie's session; without a network, again and again. */
  private async restore(): Promise<void> {
    await this.attempt(() => restoreSession(this.api), null);
    if (this.trouble === 'unreachable')
      setTimeout(() => this.state === 'out' && void this.restore(), RESTORE_MS);
  }

  async signIn(token: string): Promise<void> {
    await this.attempt(() => signIn(this.api, token.trim()), 'refused');
  }

  async signOut(): Promise<void> {
    try {
      await signOut(this.api);
    } catch (thrown) {
      asFailure(thrown);
    }
    this.leave(null);
  }

  /** Called where the server no longer knows the session. */
  ended(): void {
    this.leave('ended');
  }

  get mayOpen(): boolean {
    const role = this.session?.operator.role;
    return role === 'admin' || role === 'operator';
  }

  private headers(): Record<string, string> {
    return this.session ? { 'X-CSRF-Token': this.session.csrf } : {};
  }

  private async attempt(work: () => Promise<Session>, refused: SignInTrouble): Promise<void> {
    try {
      this.session = await work();
      this.state = 'in';
      this.trouble = null;
    } catch (thrown) {
      this.leave(asFailure(thrown) instanceof Problem ? refused : 'unreachable');
    }
  }

  private leave(trouble: SignInTrouble): void {
    this.session = null;
    this.state = 'out';
    this.trouble = trouble;
  }
}
