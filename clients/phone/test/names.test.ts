/** Names as they are heard or read, in whatever script they stand on a list. */
import { describe, expect, test } from 'vitest';
import { finds } from '../src/state/checker/names.ts';

describe('a name is found', () => {
  const one = (name: string) => ({ name, ref: 'UN-0042' });

  test.each([
    ['jose', 'José Ángel Núñez'],
    ['nunez jo', 'José Ángel Núñez'],
    ['UN-0042', '张伟'],
    ['张', '张伟'],
    ['ivanov', 'Иванов Сергей'],
    ['sergei', 'Иванов Сергей'],
    ['Сергей', 'Sergey Ivanov'],
    ['mohammed', 'محمد الحسن'],
    ['muhamad', 'محمد الحسن'],
    ['محمد', 'Mohamed Al-Hassan'],
    ['hassan', 'محمد الحسن'],
    ['أحمد', 'احمد'],
    ['Хасан', 'حسن'],
    ['', 'anybody'],
  ])('%s: %s', (sought, name) => expect(finds(sought, one(name))).toBe(true));

  test.each([
    ['peter', 'José Ángel Núñez'],
    ['petrov', 'Иванов Сергей'],
    ['ali', 'محمد'],
    ['wei', '张伟'],
  ])('not %s: %s', (sought, name) => expect(finds(sought, one(name))).toBe(false));
});
