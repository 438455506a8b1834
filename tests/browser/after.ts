/** After each test of every file. */
import { afterEach } from 'vitest';
import { closeScreens } from './browser.ts';

afterEach(closeScreens);
