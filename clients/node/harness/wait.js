// Waiting for events, never for time to pass.

export const WAIT = 20_000;

/** The value of a promise, or an error that says what did not come. */
export async function within(promise, what, ms = WAIT) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What came, in order; a test takes what it expects and waits until it is there. */
export class Inbox {
  #items = [];
  #takers = [];

  put(item) {
    const taker = this.#takers.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  }

  /** The next item. */
  take(what = 'message') {
    if (this.#items.length) return Promise.resolve(this.#items.shift());
    return within(new Promise((resolve) => this.#takers.push(resolve)), what);
  }

  /** The next n items. */
  async takeAll(n) {
    const got = [];
    while (got.length < n) got.push(await this.take(`message ${got.length + 1} of ${n}`));
    return got;
  }

  /** What is there now and was not taken. */
  get rest() {
    return [...this.#items];
  }
}

/** An event that happens once: fire(value) and then `await happened`. */
export class Once {
  constructor(what) {
    this.what = what;
    this.promise = new Promise((resolve) => {
      this.fire = resolve;
    });
  }

  wait() {
    return within(this.promise, this.what);
  }
}

let last = 0;

/** A name that no other test of this file uses: client ids, things, topics. */
export function unique(prefix) {
  return `${prefix}-${++last}`;
}
