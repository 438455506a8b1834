import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, type Failure } from '@muster/shared/api/problem.ts';
import type { Mover, MovementVehicle, Reported, StageReport } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import { allMovers, listMovers, readManifest, sendReports } from '../transport/movements.ts';
import { asked, lacks, refusals, reportsOf, type Refusal, type Spoken } from './movementradio.ts';

const DELAY_MS = 250;
const FOUND = 8;
const MOST = 500;

interface Name {
  ref: string;
  name: string;
}

/** What an operator hears over the radio, on its way to the record. */
export class RadioDesk {
  text = $state('');
  found = $state.raw<Mover[] | null>(null);
  /** what they were found by: what is typed may be ahead of them */
  foundBy = $state('');
  vehicle = $state.raw<MovementVehicle | null>(null);
  person = $state.raw<Mover | null>(null);
  stage = $state<Reported | null>(null);
  vehicleNo = $state<number | null>(null);
  point = $state<string | null>(null);
  reason = $state('');
  minutes = $state<number | null>(0);
  /** of a vehicle: whom it is said of, but for those taken out */
  names = $state.raw<Name[]>([]);
  without = $state.raw<ReadonlySet<string>>(new Set());
  /** the names are those of its list, for nobody is known to be aboard */
  listed = $state(false);
  loading = $state(false);
  working = $state(false);
  trouble = $state.raw<Failure | null>(null);
  refused = $state.raw<Refusal[]>([]);
  /** how many are on record by the last word, and what it was */
  done = $state(0);
  last = $state('');

  private items = $state.raw<StageReport[] | null>(null);
  private turn = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: Api,
    private readonly id: string,
    /** reports are on record */
    private readonly onSent: () => void,
  ) {}

  /** Who is first of those found by what is typed now; null while that is not known. */
  get first(): Mover | null {
    return this.foundBy === this.text.trim() ? (this.found?.[0] ?? null) : null;
  }

  /** Whether it can be sent as it stands. */
  get ready(): boolean {
    return !this.working && !this.loading && this.missing === null && this.refs.length > 0;
  }

  get target(): MovementVehicle | Mover | null {
    return this.vehicle ?? this.person;
  }

  get title(): string {
    if (this.vehicle) return `${this.vehicle.number} · ${this.vehicle.label}`;
    return this.person?.name ?? '';
  }

  get refs(): string[] {
    if (this.person) return [this.person.ref];
    return this.names.map(({ ref }) => ref).filter((ref) => !this.without.has(ref));
  }

  nameOf(ref: string): string {
    return this.person?.name ?? this.names.find((one) => one.ref === ref)?.name ?? ref;
  }

  /** Once it went out nothing of it changes: sent again it is the same. */
  get sent(): boolean {
    return this.items !== null;
  }

  get missing(): 'stage' | 'vehicle' | 'point' | 'reason' | null {
    return this.stage ? lacks(this.spoken(this.stage)) : 'stage';
  }

  search(text: string): void {
    this.text = text;
    this.done = 0;
    this.trouble = null;
    clearTimeout(this.timer);
    const turn = ++this.turn;
    if (!text.trim()) this.found = null;
    else this.timer = setTimeout(() => void this.find(text.trim(), turn), DELAY_MS);
  }

  takeVehicle(vehicle: MovementVehicle): void {
    this.clear();
    this.vehicle = vehicle;
    this.vehicleNo = vehicle.number;
  }

  takePerson(person: Mover): void {
    this.clear();
    this.person = person;
    this.vehicleNo = person.vehicle_no;
  }

  clear(): void {
    this.turn += 1;
    clearTimeout(this.timer);
    [this.vehicle, this.person, this.stage, this.items, this.found] = [
      null,
      null,
      null,
      null,
      null,
    ];
    [this.vehicleNo, this.point, this.reason, this.minutes, this.text] = [null, null, '', 0, ''];
    [this.names, this.without, this.refused, this.trouble] = [[], new Set(), [], null];
    [this.loading, this.done] = [false, 0];
  }

  async choose(stage: Reported): Promise<void> {
    if (this.sent) return;
    this.stage = stage;
    if (this.vehicle) await this.nameThem(this.vehicle, stage);
  }

  toggle(ref: string): void {
    const without = new Set(this.without);
    if (!without.delete(ref)) without.add(ref);
    this.without = without;
  }

  async send(): Promise<void> {
    const { stage } = this;
    if (!stage || !this.ready) return;
    const at = Date.now() - (this.minutes ?? 0) * 60_000;
    this.items ??= reportsOf({ ...this.spoken(stage), at }, this.refs, uuid);
    const { items, title } = this;
    this.working = true;
    this.trouble = null;
    try {
      const refused: Refusal[] = [];
      for (let from = 0; from < items.length; from += MOST) {
        const sent_at = new Date().toISOString();
        const part = items.slice(from, from + MOST).map((item) => ({ ...item, sent_at }));
        refused.push(...refusals(part, await sendReports(this.api, part)));
      }
      this.onSent();
      if (!refused.length) this.clear();
      this.refused = refused;
      this.done = items.length - refused.length;
      this.last = title;
    } catch (thrown) {
      this.trouble = asFailure(thrown);
    }
    this.working = false;
  }

  private spoken(stage: Reported): Omit<Spoken, 'at'> {
    const asks = asked(stage);
    return {
      movement: this.id,
      stage,
      // what is no longer asked for is not sent
      vehicle: asks.vehicle ? this.vehicleNo : null,
      point: asks.point ? this.point : null,
      reason: asks.reason ? this.reason : '',
    };
  }

  /** Who is aboard and did not come yet; to board, and where nobody is aboard, who has a seat. */
  private async nameThem(vehicle: MovementVehicle, stage: Reported): Promise<void> {
    const turn = ++this.turn;
    this.loading = true;
    this.trouble = null;
    // of no other word's people
    [this.names, this.listed, this.without] = [[], false, new Set()];
    const counted = stage === 'accommodated' ? 'arrived' : 'missing';
    const filters = { vehicle: String(vehicle.number), counted };
    try {
      let names: Name[] = stage === 'boarded' ? [] : await allMovers(this.api, this.id, filters);
      const listed = !names.length && stage !== 'accommodated';
      if (listed)
        names = (await readManifest(this.api, this.id, vehicle.id)).seats
          .filter(({ aboard }) => !aboard || stage !== 'boarded')
          .map(({ person }) => person);
      if (turn === this.turn) [this.names, this.listed] = [names, listed];
    } catch (thrown) {
      if (turn === this.turn) this.trouble = asFailure(thrown);
    }
    if (turn === this.turn) this.loading = false;
  }

  private async find(text: string, turn: number): Promise<void> {
    try {
      const { items } = await listMovers(this.api, this.id, { q: text }, FOUND);
      if (turn === this.turn) [this.found, this.foundBy] = [items, text];
    } catch (thrown) {
      if (turn === this.turn) this.trouble = asFailure(thrown);
    }
  }
}
