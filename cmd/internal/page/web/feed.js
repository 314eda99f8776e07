// The stream of records that the server sends (record.go): where it comes from
// and how it is cut into records. Nothing in here is trusted or opened.

export const HELLO = 1, STATUS = 2, LIVE = 3, MEDIA = 4, BENCH = 5, LINK = 6, ROSTER = 7, VIEW = 8;
export const RETAINED = 1, HISTORY = 2;

const header = 1 + 1 + 52 + 8; // of a record, after its length
export const maxRecord = 9 << 20; // the largest seal, and room

const text = new TextDecoder('utf-8', { fatal: false });

// Cutter cuts chunks of any size into records. It holds at most one record.
export class Cutter {
  #buf = new Uint8Array(64 << 10);
  #have = 0;

  // push takes a chunk and returns the records that are complete. It throws on a
  // length that no record has: then the stream is lost and has to be opened again.
  push(chunk) {
    this.#append(chunk);
    const out = [];
    let at = 0;
    for (;;) {
      if (this.#have - at < 4) break;
      const view = new DataView(this.#buf.buffer, at);
      const size = view.getUint32(0);
      if (size < header || size > maxRecord) throw new Error(`a record of ${size} bytes`);
      if (this.#have - at < 4 + size) break;
      out.push(this.#record(at + 4, size));
      at += 4 + size;
    }
    this.#buf.copyWithin(0, at, this.#have);
    this.#have -= at;
    return out;
  }

  #append(chunk) {
    if (this.#have + chunk.length > this.#buf.length) {
      const larger = new Uint8Array(Math.max(this.#buf.length * 2, this.#have + chunk.length));
      larger.set(this.#buf.subarray(0, this.#have));
      this.#buf = larger;
    }
    this.#buf.set(chunk, this.#have);
    this.#have += chunk.length;
  }

  #record(at, size) {
    const b = this.#buf.subarray(at, at + size);
    const view = new DataView(this.#buf.buffer, at, size);
    const id = b.subarray(2, 54);
    return {
      kind: b[0],
      retained: (b[1] & RETAINED) !== 0,
      history: (b[1] & HISTORY) !== 0,
      camera: id[0] === 0 ? '' : text.decode(id),
      received: Number(view.getBigUint64(54)),
      payload: b.slice(header),
    };
  }
}

// follow reads the feed for as long as the page lives: it connects, hands every
// record to each, and connects again with growing patience. link(up, why) is
// called when the server is reached and when it is lost.
export async function follow(url, each, link, wait = (ms) => new Promise((done) => setTimeout(done, ms))) {
  for (let tries = 0; ; tries++) {
    try {
      await read(url, each, () => { tries = 0; link(true, ''); });
      link(false, 'The server has gone.');
    } catch (err) {
      link(false, err instanceof TypeError ? 'The server is not reached.' : String(err.message ?? err));
    }
    await wait(Math.min(15000, 500 * 2 ** Math.min(tries, 5)) * (0.75 + Math.random() / 2));
  }
}

// silence is how long a stream may say nothing, with a heartbeat every 2 s.
const silence = 10000;

async function read(url, each, opened) {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), silence);
  try {
    const answer = await fetch(url, { signal: stop.signal, cache: 'no-store', redirect: 'error' });
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 200));
    opened();
    const cutter = new Cutter(), reader = answer.body.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), silence);
      for (const record of cutter.push(value)) each(record);
    }
  } catch (err) {
    if (stop.signal.aborted) throw new Error('The server fell silent.');
    throw err;
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}
