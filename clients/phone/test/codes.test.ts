/** Codes as the server makes them: tests/relocation/test_code_vectors.py holds the file against it. */
import { describe, expect, test } from 'vitest';
import { loadKeys, readCode, typed } from '../src/state/checker/codes.ts';
import vectors from './codes.json';

const keys = await loadKeys(vectors.keys);

describe('a code is read as the server reads it', () => {
  test.each(vectors.good)('of key $key, handle $handle, counter $counter', async (one) => {
    const said = { kind: 'signed', handle: one.handle, counter: one.counter };
    expect(await readCode(one.code, keys)).toEqual(said);
  });

  test.each(vectors.forged)('forged: $why', async ({ code }) => {
    expect(await readCode(code, keys)).toEqual({ kind: 'foreign' });
  });

  test('of a key that is on no list it says whom it names, and that nothing was checked', async () => {
    const { code, handle, counter } = vectors.unknown_key;
    expect(await readCode(code, keys)).toEqual({ kind: 'unchecked', handle, counter });
    const [first] = vectors.good;
    expect(await readCode(first!.code, new Map())).toMatchObject({ kind: 'unchecked' });
  });

  test('a key that cannot be read checks nothing, and harms no other', async () => {
    const bad = { id: 1, public: 'AAAA' };
    const some = await loadKeys([bad, vectors.keys[1]!]);
    expect([...some.keys()]).toEqual([7]);
  });

  test('typed in small letters, over two lines', async () => {
    const { code } = vectors.good[0]!;
    const paper = `${code.slice(0, 58)}\n${code.slice(58)}`.toLowerCase();
    expect(await readCode(typed(paper), keys)).toMatchObject({ kind: 'signed' });
  });
});
