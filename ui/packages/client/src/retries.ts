/** When to try again after a loss. No clock: what has passed is told. */

export type Delays = {
  /** How long after a loss it tries again, in milliseconds: doubled each time, with jitter. */
  minDelayMs?: number;
  maxDelayMs?: number;
};

/** The close code of a platform that restarts: somebody else is there already. */
const RESTART = 1012;
const STABLE_MS = 10_000;

/**
 * Returns how many tries in a row came to nothing, this one among them if it did.
 *
 * A connection that was soon lost counts too: what we ask for may be why.
 */
export function failuresAfter(failures: number, connectedMs: number, code?: number): number {
  return code === RESTART || connectedMs >= STABLE_MS ? 0 : failures + 1;
}

/** Returns how long to wait before the next try, of clients that were all lost at once never the same. */
export function delayMs(failures: number, { minDelayMs = 500, maxDelayMs = 30_000 }: Delays = {}): number {
  const longest = Math.min(maxDelayMs, minDelayMs * 2 ** failures);
  return longest / 2 + (Math.random() * longest) / 2;
}
