/// <reference lib="webworker" />
/**
 * The service worker: the app's own files for use without a network, the neutral notification,
 * and sending what is unsent after the page is closed.
 */
import { read, type Api } from '@muster/shared/api/client.ts';
import { firstKnown, showLocale } from '@muster/shared/i18n/locale.svelte.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { phoneApi } from '../transport/api.ts';
import { Lanes } from '../transport/lanes.ts';
import { Outbox, type Flushed } from '../transport/outbox.ts';
import { PanicLane } from '../transport/press.ts';
import { HOLD_MS, isHeld, openScans, scanOutbox } from '../transport/scans.ts';
import { checkins } from '../transport/sending.ts';
import { openStages, stageOutbox } from '../transport/stages.ts';
import { Store } from '../transport/store.ts';
import { speaker, Words } from '../transport/words.ts';

declare const self: ServiceWorkerGlobalScope;
/** filled in by the build: every file of the app under its hashed name */
declare const SHELL: { version: string; files: string[] };

const CACHE = `shell-${SHELL.version}`;
/** of a call for help, in one turn of the worker */
const TRIES = 8;

self.addEventListener('install', (event) => {
  const fill = async () => (await caches.open(CACHE)).addAll(SHELL.files);
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  const tidy = async () => {
    // a page of the build before may still be open, and load a part of it
    const others = (await caches.keys()).filter((name) => name !== CACHE);
    for (const name of others.slice(0, -1)) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener('fetch', (event) => {
  const { pathname } = new URL(event.request.url);
  if (event.request.method !== 'GET' || !pathname.startsWith('/phone/')) return;
  const key = event.request.mode === 'navigate' ? '/phone/' : event.request;
  event.respondWith(held(key).then((found) => found ?? fetch(event.request)));
});

/** From this build, else from the one before. */
async function held(key: Request | string): Promise<Response | undefined> {
  return (await (await caches.open(CACHE)).match(key)) ?? caches.match(key);
}

interface Payload {
  kind?: string;
  delivery_id?: string;
  exercise?: string;
}

self.addEventListener('push', (event) => {
  const payload = readPayload(event.data);
  const jobs = [notify(payload), receipt(payload, 'delivered'), flush()];
  event.waitUntil(Promise.allSettled(jobs));
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const payload = event.notification.data as Payload;
  event.waitUntil(Promise.allSettled([receipt(payload, 'seen'), showApp(payload)]));
});

self.addEventListener('sync', (event) => (event as ExtendableEvent).waitUntil(flush()));

function readPayload(data: PushMessageData | null): Payload {
  try {
    return (data?.json() as Payload | null) ?? {};
  } catch {
    return {};
  }
}

/** A lock screen says nothing but that there is a message; the app fetches the rest. */
async function notify(payload: Payload): Promise<void> {
  const language = await (await Store.open()).get('language');
  showLocale(firstKnown([language]) ?? 'en');
  const text = lineOf(payload);
  await self.registration.showNotification(text, {
    tag: payload.delivery_id,
    data: payload,
    icon: '/phone/icon.svg',
    requireInteraction: true,
  });
}

function lineOf({ kind, exercise }: Payload): string {
  if (kind === 'branch') return exercise === '1' ? m.notify_branch_exercise() : m.notify_branch();
  return exercise === '1' ? m.notify_exercise() : m.notify_alert();
}

async function receipt({ delivery_id }: Payload, kind: 'delivered' | 'seen'): Promise<void> {
  if (!delivery_id) return;
  const api = phoneApi(await Store.open());
  const items = [{ delivery_id, kind, at: new Date().toISOString() }];
  await read(api.POST('/v1/receipts', { body: { items } }));
}

/** Calls for help first, then all that is saved. */
async function flush(): Promise<void> {
  const store = await Store.open();
  const device = await store.get('device');
  if (!device) return;
  const told = new BroadcastChannel('muster');
  const tell = () => told.postMessage('changed');
  const lanes = new Lanes();
  const lane = new PanicLane(lanes, () => store.get('device'), undefined, tell);
  const pause = await lane.flush();
  const api = phoneApi(store);
  const outbox = new Outbox(store, checkins(api), tell);
  const stages = stageOutbox(await openStages(), api, tell);
  const words = new Words(lanes, speaker(api), tell);
  const author = device.person.ref;
  const lanesOpen = [
    goOn(lane, pause),
    ...[outbox, words, stages].map((one) => one.flush(author)),
    flushScans(api, author, tell),
  ];
  const outcomes = await Promise.all(lanesOpen);
  told.close();
  // a rejected sync is tried again by the browser
  if (outcomes.includes('later')) throw new Error('not everything could be sent');
}

/** A scan may still be taken out for some seconds; then it goes, whatever became of its page. */
async function flushScans(api: Api, author: string, tell: () => void): Promise<Flushed> {
  const store = await openScans();
  const scans = scanOutbox(store, api, tell, ({ at }) => !isHeld(at));
  const outcome = await scans.flush(author);
  const left = (await store.entries()).some(({ state }) => state === 'saved');
  if (outcome !== 'empty' || !left) return outcome;
  await new Promise((done) => setTimeout(done, HOLD_MS));
  return scans.flush(author);
}

/** Tries to send calls for help for as long as the browser lets a worker live. */
async function goOn(lane: PanicLane, first: number | null): Promise<'empty' | 'later'> {
  let pause = first;
  for (let tries = 1; pause !== null && tries < TRIES; tries++) {
    await new Promise((done) => setTimeout(done, pause ?? 0));
    pause = await lane.flush();
  }
  return pause === null ? 'empty' : 'later';
}

/** Opens the page that is meant: a word to a warden is about her people. */
async function showApp({ kind }: Payload): Promise<void> {
  const page = kind === 'branch' ? 'people' : 'me';
  const [open] = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  if (!open) return void (await self.clients.openWindow(`/phone/#${page}`));
  open.postMessage({ page });
  await open.focus();
}
