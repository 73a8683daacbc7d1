/** How far a subscription is in the platform's change feeds: what makes it resume without a gap. */

/** `<history>.<partition>.<place>`, as every MESSAGE has one. */
type Position = { history: string; partition: string; place: bigint };

export class Positions {
  #history: string | undefined;
  #places = new Map<string, bigint>();

  /** @param told positions as `toString` returned them, to go on from there. */
  constructor(told?: string) {
    if (told) this.restart(told);
  }

  /** Whether there is anything to go on from. */
  get isKnown(): boolean {
    return this.#places.size > 0;
  }

  /** Whether positions are of the history that is known. */
  isOf(told: string): boolean {
    return !parsed(told).some((position) => this.#isForeign(position));
  }

  /** Takes over where all partitions were when the subscription stood, unless more is known already. */
  seed(told: string): void {
    for (const position of parsed(told)) {
      if (this.#isForeign(position)) continue;
      this.#history = position.history;
      if (!this.#places.has(position.partition)) this.#places.set(position.partition, position.place);
    }
  }

  /** Forgets all that was known: what came before these was not recovered. */
  restart(told: string): void {
    this.#history = undefined;
    this.#places.clear();
    this.seed(told);
  }

  /** Takes over positions that tell of no event. */
  advance(told: string): void {
    for (const position of parsed(told)) this.take(position);
  }

  /** Notes the position of an event; returns whether it is a new one. */
  isNew(told: string): boolean {
    const [position] = parsed(told);
    return position === undefined || this.take(position);
  }

  /** Returns what `resume-from` says. */
  toString(): string {
    return [...this.#places].map(([partition, place]) => `${this.#history}.${partition}.${place}`).join(',');
  }

  private take(position: Position): boolean {
    if (this.#isForeign(position)) return true;
    const known = this.#places.get(position.partition);
    if (known !== undefined && position.place <= known) return false;
    this.#history = position.history;
    this.#places.set(position.partition, position.place);
    return true;
  }

  #isForeign(position: Position): boolean {
    return this.#history !== undefined && position.history !== this.#history;
  }
}

function parsed(told: string): Position[] {
  return told.split(',').flatMap((each) => {
    const [, history, partition, place] = /^(.*)\.([^.]+)\.(\d+)$/.exec(each.trim()) ?? [];
    if (history === undefined || partition === undefined || place === undefined) return [];
    return [{ history, partition, place: BigInt(place) }];
  });
}
