import { describe, expect, test } from 'vitest';
import { Positions } from '../src/positions.js';

const HEADS = 'c0ffee.0.10,c0ffee.1.0,c0ffee.65535.9007199254740993';

describe('positions', () => {
  test('are told as they were seeded', () => {
    expect(new Positions(HEADS).toString()).toBe(HEADS);
    expect(new Positions().isKnown).toBe(false);
  });

  test('take each event once, in each partition by itself', () => {
    const positions = new Positions(HEADS);

    expect(positions.isNew('c0ffee.0.11')).toBe(true);
    expect(positions.isNew('c0ffee.0.11')).toBe(false);
    expect(positions.isNew('c0ffee.0.9')).toBe(false);
    expect(positions.isNew('c0ffee.1.1')).toBe(true);
    expect(positions.isNew('c0ffee.65535.9007199254740992')).toBe(false);
    expect(positions.isNew('c0ffee.65535.9007199254740994')).toBe(true);
    expect(positions.toString()).toBe('c0ffee.0.11,c0ffee.1.1,c0ffee.65535.9007199254740994');
  });

  test('never go back by what is told late', () => {
    const positions = new Positions();
    positions.isNew('c0ffee.0.20');
    positions.seed(HEADS);
    positions.advance('c0ffee.0.15,c0ffee.1.7');

    expect(positions.toString()).toBe('c0ffee.0.20,c0ffee.1.7,c0ffee.65535.9007199254740993');
  });

  test('begin anew where what came before was not recovered', () => {
    const positions = new Positions(HEADS);
    positions.restart('other.0.3');

    expect(positions.toString()).toBe('other.0.3');
    expect(positions.isNew('other.0.4')).toBe(true);
  });

  test('leave alone what is none', () => {
    const positions = new Positions('nonsense, a.b ,c0ffee.0.1');

    expect(positions.toString()).toBe('c0ffee.0.1');
    expect(positions.isNew('e-7')).toBe(true);
  });
});
