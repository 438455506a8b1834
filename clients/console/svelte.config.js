export { default } from '../shared/tooling/svelte.js';
