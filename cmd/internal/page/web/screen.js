// The two ways to put a clip's frames on screen: motion JPEG is drawn frame by
// frame, H.264 and H.265 go to the browser's own decoder. Both take a clip's
// verified parts and nothing else.

import { frameAt } from './clip.js';
import { el } from './dom.js';

// screenOf returns the screen for a clip, or null where this browser cannot play
// it. fail is called with words when that turns out later.
export function screenOf(clip, fail) {
  const { film } = clip.some;
  if (film.stills) return new Stills();
  const type = `video/mp4; codecs="${film.codec}"`;
  return globalThis.MediaSource?.isTypeSupported(type) ? new Video(clip, type, fail) : null;
}

// codecName says a codec as people know it.
export const codecName = (codec) => ({ avc1: 'H.264', avc3: 'H.264', hvc1: 'H.265', hev1: 'H.265' })[codec.split('.')[0]] ?? codec;

// Stills draws frames that are JPEG files. It has no time of its own.
class Stills {
  root = el('canvas', { class: 'film' });
  time = null;
  #wanted = null;
  #busy = false;
  #shown = '';

  // show draws the frame at t of a part, as soon as the one before it is decoded;
  // of frames that are wanted in between only the newest.
  show(part, t) {
    this.#wanted = { part, i: frameAt(part.film, t) };
    if (!this.#busy) this.#draw();
  }

  async #draw() {
    this.#busy = true;
    while (this.#wanted) {
      const { part, i } = this.#wanted, name = `${part.hash}/${i}`;
      this.#wanted = null;
      if (name === this.#shown) continue;
      try {
        if (await part.paint(this.root, i, () => !this.closed)) this.#shown = name;
      } catch {
        this.#shown = ''; // one frame that does not decode: the one before stays
      }
    }
    this.#busy = false;
  }

  play(part, t) { this.show(part, t); }
  pause() {}
  refresh() {}

  close() {
    this.closed = true;
    this.#wanted = null;
    this.root.width = 0;
  }
}

const ahead = 30, behind = 15; // seconds of parts that the decoder is given

// Video plays by Media Source Extensions. time is where it is while it plays.
class Video {
  root = el('video', { class: 'film', playsinline: true, disablepictureinpicture: true });
  #source = new MediaSource();
  #buffer = null;
  #given = new Map(); // number of a part: Verified that the decoder has
  #at = 0;

  constructor(clip, type, fail) {
    this.clip = clip;
    this.fail = fail;
    this.root.muted = true;
    this.root.addEventListener('error', () => this.#failed());
    const url = URL.createObjectURL(this.#source);
    this.#source.addEventListener('sourceopen', () => {
      URL.revokeObjectURL(url);
      if (this.closed) return;
      this.#buffer = this.#source.addSourceBuffer(type);
      this.#buffer.addEventListener('updateend', () => this.#next());
      this.#next();
    }, { once: true });
    this.root.src = url;
  }

  get time() { return this.#playing && !this.root.paused ? this.root.currentTime : null; }
  #playing = false;

  show(part, t) {
    this.#go(part, t);
    this.pause();
  }

  play(part, t) {
    this.#go(part, t);
    this.#playing = true;
    this.root.play().catch(() => {}); // a pause came first
  }

  pause() {
    this.#playing = false;
    this.root.pause();
  }

  // #go shows the frame at t: its middle is asked for, as its edge may be either's.
  #go(part, t) {
    const { frames, end } = part.film, i = frameAt(part.film, t), next = frames[3 * (i + 1)] ?? end;
    this.#at = Math.max(t, frames[3 * i] + Math.min(0.001, (next - frames[3 * i]) / 2));
    if (Math.abs(this.root.currentTime - this.#at) > 1e-4) this.root.currentTime = this.#at;
    this.#next();
  }

  // refresh looks for parts that have come.
  refresh() { this.#next(); }

  // #next gives the decoder the next part it needs, and takes away what is far.
  #next() {
    if (!this.#buffer || this.#buffer.updating || this.closed || this.#source.readyState !== 'open') return;
    const at = this.#playing ? this.root.currentTime : this.#at;
    for (const [n, part] of this.#given) {
      if (part.film.end > at - behind && part.film.start < at + 2 * ahead) continue;
      this.#given.delete(n);
      this.#buffer.remove(part.film.start, part.film.end);
      return;
    }
    const near = [...this.clip.parts].filter(([n, p]) => !this.#given.has(n) && p.film.end > at - 1 && p.film.start < at + ahead);
    const [n, part] = near.sort((a, b) => a[0] - b[0])[0] ?? [];
    if (!part) return;
    this.#given.set(n, part);
    try {
      part.feed(this.#buffer);
    } catch {
      this.#failed();
    }
  }

  #failed() { if (!this.closed) this.fail(); }

  close() {
    this.closed = true;
    this.pause();
    this.root.removeAttribute('src');
    this.root.load();
  }
}
