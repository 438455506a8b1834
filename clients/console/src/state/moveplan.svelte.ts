import { asFailure, type Failure } from '@muster/shared/api/problem.ts';
import { uuid } from '@muster/shared/ids.ts';
import { faultAt, leftOver } from './moveplan.ts';

/**
 * Something that is being written: its id, whether it is under way, what was said against it. After
 * no answer it may be sent again under its id, and is one thing; once taken it has a new one.
 */
export class Writing {
  id = uuid();
  working = $state(false);
  failure = $state.raw<Failure | null>(null);

  /** Whether it was taken. */
  async send(work: () => Promise<unknown>): Promise<boolean> {
    if (this.working) return false;
    this.working = true;
    this.failure = null;
    try {
      await work();
      this.id = uuid();
      return true;
    } catch (thrown) {
      this.failure = asFailure(thrown);
      // it was taken as it was said before: said otherwise it is another
      if (this.failure.code === 'id_reused') this.id = uuid();
      return false;
    } finally {
      this.working = false;
    }
  }

  /** What was said against a field. */
  at(path: string): string | null {
    return faultAt(this.failure, path);
  }

  /** What was said beside that. */
  beside(shown: readonly string[]): Failure | null {
    return leftOver(this.failure, shown);
  }
}
