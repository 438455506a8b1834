import '@muster/shared/design/tokens.css';
import '@muster/shared/design/base.css';
import { mount } from 'svelte';
import { onFragment, takeFragment } from '@muster/shared/fragment.ts';
import { startLocale } from '@muster/shared/i18n/locale.svelte.ts';
import { Phone } from './state/phone.svelte.ts';
import { Store } from './transport/store.ts';
import App from './views/App.svelte';

async function start(): Promise<void> {
  const code = takeFragment('enrol');
  startLocale(navigator.languages);
  const store = await Store.open();
  const phone = new Phone(store);
  mount(App, { target: document.getElementById('app')!, props: { phone, store } });
  onFragment('enrol', (later) => void phone.offer(later));
  // at hand before the network may go
  void import('./views/PanicPanel.svelte').catch(() => undefined);
  await phone.start(code);
  if ('serviceWorker' in navigator && import.meta.env.PROD)
    await navigator.serviceWorker.register('/phone/sw.js', { scope: '/phone/' });
}

void start();
