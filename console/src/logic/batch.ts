/** Gathers what comes often and hands it on not too often: at once when it was calm before. */

export class Batch<T> {
  private held: T[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly paceMs: number,
    private readonly most: number,
    private readonly hand: (held: T[], full: boolean) => void,
  ) {}

  add(more: T[]): void {
    if (more.length === 0) return;
    if (this.held.length <= this.most) this.held.push(...more);
    const wait = Math.max(0, this.last + this.paceMs - performance.now());
    this.timer ??= setTimeout(() => this.flush(), wait);
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.held = [];
  }

  private flush(): void {
    this.timer = undefined;
    this.last = performance.now();
    const held = this.held;
    this.held = [];
    this.hand(held, held.length > this.most);
  }
}
