import { asFailure, type Failure } from '@muster/shared/api/problem.ts';

/** One thing done at a time, and why it was not done. */
export class Doing {
  working = $state(false);
  trouble = $state.raw<Failure | null>(null);

  async run(work: () => Promise<unknown>): Promise<boolean> {
    this.working = true;
    this.trouble = null;
    try {
      await work();
      return true;
    } catch (thrown) {
      this.trouble = asFailure(thrown);
      return false;
    } finally {
      this.working = false;
    }
  }
}
