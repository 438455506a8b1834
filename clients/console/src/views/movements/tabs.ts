import type { Component } from 'svelte';
import type { Api } from '@muster/shared/api/client.ts';
import type { Area } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import type { LiveMovement } from '../../state/movement.ts';
import type { MovementDesk } from '../../state/movementdesk.svelte.ts';
import type { MovementDrafts } from '../../state/movementdrafts.svelte.ts';
import type { OneMovement } from '../../state/movementone.svelte.ts';
import type { MovementTab } from '../../state/movementroute.ts';
import type { ServerTime } from '../../state/servertime.svelte.ts';
import type { Watches } from '../../state/watches.ts';
import PlanTab from '../moveplan/PlanTab.svelte';
import VehiclesTab from '../moveplan/VehiclesTab.svelte';
import BoardTab from './BoardTab.svelte';
import CloseTab from './CloseTab.svelte';
import ConflictsTab from './ConflictsTab.svelte';
import PeopleTab from './PeopleTab.svelte';

/** What every tab of a movement is given. */
export interface TabProps {
  api: Api;
  desk: MovementDesk;
  one: OneMovement;
  /** what is being written about it */
  drafts: MovementDrafts;
  live: LiveMovement;
  time: ServerTime;
  zone: string;
  /** admins and operators: may report, decide, steer */
  mayAct: boolean;
  /** the name of who sits here */
  me: string;
  /** sees whole areas, not only a branch */
  whole: boolean;
  /** sees some areas or a branch: vehicles and points count others, too */
  partly: boolean;
  /** nothing is heard from the server: figures are as of then */
  stale: boolean;
  /** watches in sight that run, for vehicles that have one */
  watches: Watches;
  areas: Area[];
  areaName: (code: string) => string;
  filters: Readonly<Record<string, string>>;
  onroute: (tab: MovementTab, filters?: Record<string, string>) => void;
}

interface TabLink {
  tab: MovementTab;
  word: () => string;
  view: Component<TabProps>;
  /** shown beside the word, loud */
  count?: (live: LiveMovement) => number;
}

/** In their order. A tab is one line here. */
export const TABS: TabLink[] = [
  { tab: 'board', word: m.move_tab_board, view: BoardTab },
  { tab: 'people', word: m.move_tab_people, view: PeopleTab },
  {
    tab: 'conflicts',
    word: m.move_tab_conflicts,
    view: ConflictsTab,
    count: (live) => live.conflicts.value,
  },
  { tab: 'vehicles', word: m.mp_vehicles, view: VehiclesTab },
  { tab: 'plan', word: m.mp_plan, view: PlanTab },
  { tab: 'close', word: m.move_tab_close, view: CloseTab },
];
