import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.js';

/** What a folder may not import: views -> state -> transport, never back. */
const layer = (folder, forbidden) => ({
  files: [`clients/*/src/${folder}/**`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: forbidden.map((name) => ({
          group: [`**/${name}/*`],
          message: 'Imports point down: views, state, transport.',
        })),
      },
    ],
  },
});

export default ts.config(
  { ignores: ['**/generated/**', '**/schema.d.ts', '**/public/**', '**/project.inlang/**'] },
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    rules: {
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', 60],
      eqeqeq: 'error',
      'svelte/no-at-html-tags': 'error',
      'svelte/no-inline-styles': 'error',
      'svelte/prefer-svelte-reactivity': 'off',
      'no-restricted-properties': [
        'error',
        ...['innerHTML', 'outerHTML', 'insertAdjacentHTML'].map((property) => ({
          property,
          message: 'Text goes in as text.',
        })),
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { varsIgnorePattern: '^_', argsIgnorePattern: '^_' },
      ],
    },
  },
  { files: ['**/test/**', 'tests/**'], rules: { 'max-lines-per-function': 'off' } },
  layer('transport', ['state', 'views', 'worker']),
  layer('state', ['views', 'worker']),
  layer('worker', ['state', 'views']),
);
