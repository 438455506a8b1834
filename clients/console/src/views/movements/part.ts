/** What is fetched as one part: the movements and their plan. */
export { default as MovementsNav } from './MovementsNav.svelte';
export { default as MovementsPage } from './MovementsPage.svelte';
