import { describe, expect, test } from 'vitest';
import { delayMs, failuresAfter } from '../src/retries.js';

describe('the next try', () => {
  test.each([
    [0, 250, 500],
    [3, 2_000, 4_000],
    [40, 15_000, 30_000],
  ])('after %i failures comes after %i to %i ms', (failures, least, most) => {
    const delays = Array.from({ length: 200 }, () => delayMs(failures));

    expect(Math.min(...delays)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...delays)).toBeLessThanOrEqual(most);
    expect(new Set(delays).size).toBeGreaterThan(100);
  });
});

describe('a loss', () => {
  test.each([
    ['of a connection that never was', 0, undefined, 4],
    ['soon after connecting, as when a filter is wrong', 50, 1002, 4],
    ['of a connection that was of use', 60_000, 1006, 0],
    ['because the platform restarts', 50, 1012, 0],
    ['because we were too slow, at once', 50, 1008, 4],
  ])('%s', (_, connectedMs, code, failures) => {
    expect(failuresAfter(3, connectedMs, code)).toBe(failures);
  });
});
