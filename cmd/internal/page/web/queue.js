// The order in which records are opened: live pictures and live view first, and of
// those only the newest of a camera; everything else in the order in which it came. One
// record at a time, with room between for the stream to be read.

const most = 1500; // records that wait; more than the server's history holds

export class Queue {
  #live = new Map(); // kind and camera: record
  #rest = [];
  #each;
  #idle;
  #running = false;
  #started = false;
  #pause = new MessageChannel();

  // each opens one record; idle is called whenever none waits any more.
  constructor(each, idle = () => {}) {
    this.#each = each;
    this.#idle = idle;
    this.#pause.port1.onmessage = () => this.#turn();
  }

  get waiting() { return this.#live.size + this.#rest.length; }

  add(record, live) {
    if (live) this.#live.set(`${record.kind} ${record.camera}`, record);
    else this.#rest.push(record);
    if (this.#rest.length > most) this.#rest.shift(); // the oldest: a gap that is asked for again
    this.#wake();
  }

  // start lets records be opened; before, they wait.
  start() {
    this.#started = true;
    this.#wake();
  }

  close() { this.#pause.port1.close(); }

  #wake() {
    if (this.#running || !this.#started || !this.waiting) return;
    this.#running = true;
    this.#pause.port2.postMessage(0);
  }

  #turn() {
    this.#running = false;
    const next = this.#take();
    try {
      if (next) this.#each(next);
    } finally {
      if (!this.waiting) this.#idle();
      this.#wake();
    }
  }

  #take() {
    for (const [key, record] of this.#live) {
      this.#live.delete(key);
      return record;
    }
    return this.#rest.shift();
  }
}
