/** What a subscription knows of how far it is, over all the connections that it lives on. No I/O. */

import { Positions } from './positions.js';

/** Where a subscription begins anew with each connection, and which events it has had already. */
export class Resumption {
  readonly #known: Positions;
  #unsettled: { isResumed: boolean; since: Positions } | undefined;
  #hasStood = false;

  /** @param resumeFrom positions as `toString` returned them, to go on from there. */
  constructor(resumeFrom?: string) {
    this.#known = new Positions(resumeFrom);
  }

  /** Begins on a new connection; returns what `resume-from` says, if there is anything to go on from. */
  begin(): string | undefined {
    this.#unsettled = { isResumed: this.#known.isKnown, since: new Positions() };
    return this.#known.isKnown ? this.#known.toString() : undefined;
  }

  /**
   * Takes over what the RECEIPT says; returns whether nothing was missed.
   *
   * Events may have come before it: it never goes back behind those.
   */
  settle(positions = '', recovered?: string): boolean {
    const { isResumed, since } = this.#unsettled ?? { isResumed: false, since: new Positions() };
    this.#unsettled = undefined;
    const isWhole = isResumed ? recovered === 'true' && this.#known.isOf(positions) : !this.#hasStood;
    this.#hasStood = true;
    if (isWhole) {
      this.#known.seed(positions);
    } else {
      this.#known.restart(positions);
      this.#known.advance(since.toString());
    }
    return isWhole;
  }

  /** Takes over positions that tell of no event. */
  advance(positions = ''): void {
    this.#known.advance(positions);
    this.#unsettled?.since.advance(positions);
  }

  /** Notes the position of an event; returns whether it is a new one. Events without one always are. */
  isNew(position: string | undefined): boolean {
    if (position === undefined) return true;
    this.#unsettled?.since.advance(position);
    return this.#known.isNew(position);
  }

  /** Returns how far it is, as `resume-from` says it. */
  toString(): string {
    return this.#known.toString();
  }
}
