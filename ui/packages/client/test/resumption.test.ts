import { describe, expect, test } from 'vitest';
import { Resumption } from '../src/resumption.js';

/** Returns one that stood at `a.0.10` and `a.1.20`, and was lost. */
function lost(): Resumption {
  const resumption = new Resumption();
  resumption.begin();
  resumption.settle('a.0.10,a.1.20');
  return resumption;
}

describe('a subscription', () => {
  test('begins where it stands, and misses nothing by that', () => {
    const resumption = new Resumption();

    expect(resumption.begin()).toBeUndefined();
    expect(resumption.settle('a.0.10,a.1.20')).toBe(true);
    expect(resumption.begin()).toBe('a.0.10,a.1.20');
  });

  test('goes on from the newest of each partition', () => {
    const resumption = lost();
    resumption.isNew('a.1.21');
    resumption.advance('a.0.15,a.1.19');

    expect(resumption.begin()).toBe('a.0.15,a.1.21');
  });

  test('goes on from what an application kept', () => {
    expect(new Resumption('a.0.3').begin()).toBe('a.0.3');
  });

  test('that is recovered has what comes twice once, and does not skip to where the others are', () => {
    const resumption = lost();
    resumption.begin();

    expect(resumption.settle('a.0.90,a.1.90', 'true')).toBe(true);
    expect(resumption.isNew('a.0.10')).toBe(false);
    expect(resumption.isNew('a.0.11')).toBe(true);
    expect(resumption.toString()).toBe('a.0.11,a.1.20');
  });

  test.each([
    ['is told so', 'b.0.1,b.1.1', 'false'],
    ['is not told anything', 'b.0.1,b.1.1', undefined],
    ['is told of another history', 'b.0.1,b.1.1', 'true'],
  ])('has missed something when it %s', (_, positions, recovered) => {
    const resumption = lost();
    resumption.begin();

    expect(resumption.settle(positions, recovered)).toBe(false);
    expect(resumption.begin()).toBe('b.0.1,b.1.1');
  });

  test('that was not recovered never goes back behind what came before the receipt', () => {
    const resumption = lost();
    resumption.begin();

    expect(resumption.isNew('a.0.95')).toBe(true);
    resumption.settle('a.0.90,a.1.90', 'false');
    expect(resumption.isNew('a.0.95')).toBe(false);
    expect(resumption.toString()).toBe('a.0.95,a.1.90');
  });

  test('that was not recovered keeps what came before the receipt, in a new history too', () => {
    const resumption = lost();
    resumption.begin();

    expect(resumption.isNew('b.0.2')).toBe(true);
    resumption.settle('b.0.1,b.1.1', 'false');
    expect(resumption.toString()).toBe('b.0.2,b.1.1');
  });

  test('begins with what came before its first receipt', () => {
    const resumption = new Resumption();
    resumption.begin();

    expect(resumption.isNew('a.0.11')).toBe(true);
    expect(resumption.settle('a.0.10,a.1.20')).toBe(true);
    expect(resumption.begin()).toBe('a.0.11,a.1.20');
  });

  test('of a platform without positions has missed something whenever it was lost', () => {
    const resumption = new Resumption();
    resumption.begin();
    resumption.settle(undefined);

    expect(resumption.begin()).toBeUndefined();
    expect(resumption.settle(undefined)).toBe(false);
  });

  test('has what is kept nowhere as often as it comes', () => {
    const resumption = lost();

    expect([resumption.isNew(undefined), resumption.isNew(undefined)]).toEqual([true, true]);
    expect(resumption.toString()).toBe('a.0.10,a.1.20');
  });
});
