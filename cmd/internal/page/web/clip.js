// The clip of an event: the verified parts of it that have come, where each lies
// in its time, and what is not there. Pure: it draws nothing and decodes nothing.
// What a part says of itself is its camera's word, so nothing here trusts that
// parts fit together: what does not is left out, and named.

const most = 7200; // parts; as cmd/internal/clip
const slack = 0.05; // seconds between two parts that are no pause

export class Clip {
  parts = new Map(); // number: Verified
  faults = new Map(); // number: why another part with it was left out
  doubled = new Map(); // number: how often it came again
  last = -1; // number of the last part, -1 while it has not come
  asked = true; // what is missing is asked for
  gone = 0; // parts that were here, and are kept no longer
  #gaps = [];
  #refused;

  // refused holds by its number in the camera's sequence what was refused of what
  // was sealed for that place. The caller fills it.
  constructor(refused = new Map()) { this.#refused = refused; }

  // add takes a part. It returns '' or why it is left out.
  add(v) {
    const why = this.#misfit(v), n = v.meta.part;
    if (why) {
      if (this.faults.size < 100 && n < most) this.faults.set(n, why);
      return why;
    }
    this.parts.set(n, v);
    if (v.meta.last) this.last = n;
    return '';
  }

  #misfit({ film, meta, hash }) {
    const n = meta.part, there = this.parts.get(n);
    if (there) return there.hash === hash ? '' : 'its number is taken by another part';
    if (!film || film.error) return film?.error || 'it is no film that this page knows';
    if (n >= most || (this.last >= 0 && n > this.last)) return 'its number is behind the last';
    const some = this.some;
    if (some && some.film.format !== film.format) return 'it is of another format than the parts before it';
    for (const [k, p] of this.parts) {
      if (meta.last && k > n) return `it says it is the last, and part ${k + 1} is here`;
      if ((k < n) !== (p.film.start < film.start) || (k < n ? p.film.end > film.start + slack : film.end > p.film.start + slack)) return `its time runs into that of part ${k + 1}`;
      if ((k < n) !== (p.meta.seq < meta.seq)) return `it was sealed ${k < n ? 'before' : 'after'} part ${k + 1}`;
    }
    return '';
  }

  // some is any one part, or undefined: what all have in common can be read off it.
  get some() { return this.parts.values().next().value; }

  get numbers() { return [...this.parts.keys()].sort((a, b) => a - b); }

  get size() { return [...this.parts.values()].reduce((n, p) => n + p.size, 0); }

  // whole is whether all parts are here, the last included.
  get whole() { return this.last >= 0 && this.parts.size === this.last + 1; }

  // zero is the wall time of the clip's first frame in milliseconds, start that of
  // its event.
  get zero() { return this.some.taken - this.some.film.start * 1000; }
  get start() { return this.zero + this.preRoll * 1000; }
  get end() { return this.zero + this.length * 1000; }

  // preRoll is when in the clip its event begins, length how long it is so far: seconds.
  get preRoll() { return Math.min(this.length, (this.some?.meta.preRoll ?? 0) / 1000); }
  get length() { return Math.max(0, ...[...this.parts.values()].map((p) => p.film.end)); }

  // ended says why the clip ended early, '' if it did not.
  get ended() { return this.parts.get(this.last)?.meta.ended ?? ''; }

  // drop lets the parts go, to have room for newer ones.
  drop() {
    this.gone += this.parts.size;
    this.parts.clear();
    this.last = -1;
  }

  // again notes that a part came a second time, and was left out.
  again(n) { if (this.parts.has(n)) this.doubled.set(n, (this.doubled.get(n) ?? 0) + 1); }

  // takeGaps takes what is missing from the camera (Model.camera.gaps).
  takeGaps(gaps) { this.#gaps = gaps; }

  // segments lists the clip's time from its begin without a hole between them:
  // {kind, from, to, n, part, why}, times in seconds. kind is one of part, hole
  // (not here, and asked for), lost (it will never come), refused, pause (the
  // camera itself has no pictures there).
  segments() {
    const out = [];
    let at = 0, next = 0, before = null;
    for (const n of this.numbers) {
      const part = this.parts.get(n), { start, end } = part.film;
      if (n > next) out.push(...this.#missing(next, n - 1, at, start, before, part));
      else if (start > at + slack) out.push({ kind: 'pause', from: at, to: start, n });
      out.push({ kind: 'part', from: out.length ? out.at(-1).to : 0, to: end, n, part });
      at = end;
      next = n + 1;
      before = part;
    }
    return out;
  }

  // #missing lists the parts from first to last, between two times and two parts.
  #missing(first, last, from, to, before, after) {
    const n = last - first + 1, each = (to - from) / n, out = [];
    const lowest = before ? before.meta.seq + 1 : after.meta.seq - n, highest = after.meta.seq - 1;
    for (let i = 0; i < n; i++) {
      // Where other messages lie between, which number a part has is not known.
      const exact = highest - lowest + 1 === n, a = exact ? lowest + i : lowest, b = exact ? a : highest;
      const claims = [...this.#refused].filter(([seq]) => seq >= a && seq <= b);
      const [, why] = claims[exact ? 0 : i] ?? [];
      const open = this.#gaps.some((g) => !g.lost && g.first <= b && g.last >= a);
      const lost = !open && this.#gaps.some((g) => g.lost && g.first <= b && g.last >= a);
      out.push({ kind: why ? 'refused' : lost ? 'lost' : 'hole', from: from + i * each, to: i === n - 1 ? to : from + (i + 1) * each, n: first + i, why });
    }
    return out;
  }

  // stops lists where a step by one frame can go: every frame, and every hole once.
  stops(segments = this.segments()) {
    return segments.flatMap((s) => {
      if (s.kind !== 'part') return [s.from];
      const { frames } = s.part.film, out = [];
      for (let i = 0; i < frames.length; i += 3) out.push(Math.max(s.from, frames[i]));
      return out;
    });
  }
}

// frameAt returns which frame of a part is shown at a time.
export function frameAt({ frames }, t) {
  let low = 0, high = frames.length / 3 - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (frames[3 * middle] <= t + 1e-6) low = middle;
    else high = middle - 1;
  }
  return low;
}

// at returns the segment at a time: the last one at the end, undefined for none.
export const at = (segments, t) => segments.find((s) => t < s.to - 1e-6) ?? segments.at(-1);

const plural = (n) => `${n} part${n === 1 ? '' : 's'}`;

// delivery says what of the clip is here: "clip 3 of 7 parts here, 4 on their way".
export function delivery(clip) {
  if (!clip.parts.size) return `clip of ${plural(clip.gone)}, not here any more`;
  if (clip.whole) return `clip whole, ${plural(clip.last + 1)}`;
  const kinds = {};
  for (const s of clip.segments()) kinds[s.kind] = (kinds[s.kind] ?? 0) + 1;
  const words = [clip.last >= 0 ? `clip ${clip.parts.size} of ${clip.last + 1} parts here` : `clip, ${plural(clip.parts.size)} so far`];
  if (kinds.hole) words.push(`${kinds.hole} on ${kinds.hole === 1 ? 'its' : 'their'} way`);
  if (kinds.refused) words.push(`${kinds.refused} refused`);
  if (kinds.lost) words.push(`${kinds.lost} will never come`);
  return words.join(', ');
}

// endedWords says why a clip ended early.
export const endedWords = (why) => (why && ({
  longest: 'It is as long as a clip may be.', camera: 'The camera gave no more frames.', format: 'The camera changed its format.',
  stopped: 'The camera was stopped.', 'no-key-frame': 'The camera gave no frame to begin a part with.',
}[why] ?? 'It ended early.')) || '';
