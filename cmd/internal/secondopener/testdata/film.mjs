// SPEC.md section 6, clips: parts become the film of an event.

import { same } from './cbor.mjs';

const MEDIA = 'video/mp4', BOXES = ['ftyp', 'moov', 'moof', 'mdat'];
const hex = (b) => Buffer.from(b).toString('hex');

// boxes divides a part into head (ftyp, moov) and body (moof, mdat); undefined if it is none.
function boxes(b) {
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  let at = 0, head = 0;
  for (const kind of BOXES) {
    if (b.length - at < 8 || Buffer.from(b.subarray(at + 4, at + 8)).toString('latin1') !== kind) return undefined;
    const size = view.getUint32(at);
    if (size < 8 || size > b.length - at) return undefined;
    at += size;
    if (kind === 'moov') head = at;
  }
  return at === b.length ? { head: b.subarray(0, head), body: b.subarray(head) } : undefined;
}

// Films are the clips of which parts were shown, by camera, boot and event.
export class Films {
  #films = new Map();

  // add takes what an Opener has opened, if it is a part that fits.
  add({ camera, message, hidden, media }) {
    const event = hidden.get(14), number = hidden.get(15) ?? 0;
    if (hidden.get(5) !== 'clip' || hidden.get(9) !== MEDIA || !event) return;
    const part = boxes(media);
    if (!part) return;
    const name = `${camera} ${hex(message.boot)} ${event}`;
    const film = this.#films.get(name) ?? { head: part.head, parts: new Map(), last: Infinity };
    if (!same(film.head, part.head) || number > film.last || film.parts.has(number)) return;
    if (hidden.has(16)) {
      if (Math.max(-1, ...film.parts.keys()) > number) return;
      film.last = number;
    }
    film.parts.set(number, part.body);
    this.#films.set(name, film);
  }

  // say tells what there is of a clip, as the drill wants it told.
  say(camera, boot, event) {
    const film = this.#films.get(`${camera} ${boot} ${event}`);
    if (!film) return 'clip partial - -';
    const numbers = [...film.parts.keys()].sort((a, b) => a - b), missing = [];
    for (let n = 0; n < numbers.at(-1); n++) if (!film.parts.has(n)) missing.push(n);
    const whole = numbers.length === film.last + 1;
    const bytes = Buffer.concat([film.head, ...numbers.map((n) => film.parts.get(n))]);
    return `clip ${whole ? 'whole' : 'partial'} ${missing.join(',') || '-'} ${bytes.toString('base64')}`;
  }
}
