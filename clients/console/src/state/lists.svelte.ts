import type { Api } from '@muster/shared/api/client.ts';
import { asFailure } from '@muster/shared/api/problem.ts';
import type { BoardPerson, CheckinEvent, Status } from '@muster/shared/api/types.ts';
import { listPeople } from '../transport/calls.ts';
import { withoutAnswered } from './people.ts';

const PAGE = 100;
const REFETCH_MS = 2_000;
const RETRY_MS = 10_000;

/** The people of one status in one roll call, kept current by refetches. */
export class PeopleList {
  people = $state.raw<BoardPerson[]>([]);
  more = $state(false);
  loaded = $state(false);
  query = $state('');

  private limit = PAGE;
  private asked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: Api,
    readonly alertId: string,
    readonly status: Status,
  ) {}

  async load(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const turn = ++this.asked;
    const query = { status: this.status, q: this.query.trim(), limit: this.limit };
    try {
      const { items, more } = await listPeople(this.api, this.alertId, query);
      if (turn !== this.asked) return;
      [this.people, this.more, this.loaded] = [items, more, true];
    } catch (thrown) {
      asFailure(thrown);
      this.timer ??= setTimeout(() => void this.load(), RETRY_MS);
    }
  }

  /** Loads again, at most every two seconds. */
  loadSoon(): void {
    this.timer ??= setTimeout(() => void this.load(), REFETCH_MS);
  }

  showMore(): void {
    this.limit += PAGE;
    void this.load();
  }

  search(text: string): void {
    this.query = text;
    this.limit = PAGE;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.load(), 250);
  }

  take(event: CheckinEvent): void {
    if (this.status === 'unaccounted')
      this.people = withoutAnswered(this.people, this.alertId, event);
    this.loadSoon();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.asked += 1;
  }
}
