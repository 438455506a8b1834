import '@muster/shared/design/tokens.css';
import '@muster/shared/design/base.css';
import { mount } from 'svelte';
import { onFragment, takeFragment } from '@muster/shared/fragment.ts';
import { startLocale } from '@muster/shared/i18n/locale.svelte.ts';
import { Desk } from './state/session.svelte.ts';
import App from './views/App.svelte';

const code = takeFragment('login');
startLocale(navigator.languages);
const desk = new Desk();
mount(App, { target: document.getElementById('app')!, props: { desk } });
onFragment('login', (later) => void desk.signIn(later));
void desk.start(code);
