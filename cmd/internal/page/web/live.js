// Live view of compressed video: verified parts go to the browser's own decoder as
// they come, and play at their newest end. There are no controls: what has passed
// cannot be seen again here, and nothing plays that is not of now.

import { el } from './dom.js';
import { codecName } from './screen.js';

const behind = 2; // seconds that stay with the decoder
const lag = 1.5; // seconds that the screen may be late, beside the length of a part
const most = 2; // parts that wait for the decoder
const slack = 0.05; // seconds between two parts that follow each other

export class Live {
  root = el('video', { class: 'film', playsinline: true, disablepictureinpicture: true, disableremoteplayback: true });
  #source = new MediaSource();
  #buffer = null;
  #waiting = []; // {v, done, fail}
  #given = null; // the same, that the decoder is taking
  #last = null; // the newest Verified that it has
  #closed = false;

  // typeOf returns what parts like v are to a decoder. It throws words where this
  // browser has none.
  static typeOf({ film }) {
    if (film.error) throw new Error(`Live view is verified, but cannot be played: ${film.error}.`);
    const type = `video/mp4; codecs="${film.codec}"`;
    if (!globalThis.MediaSource?.isTypeSupported(type)) throw new Error(`Live view is verified, but this browser cannot play ${codecName(film.codec)}.`);
    return type;
  }

  constructor(type) {
    this.type = type;
    this.root.muted = true;
    this.root.addEventListener('error', () => this.#failed());
    for (const name of ['loadeddata', 'seeked', 'canplay']) this.root.addEventListener(name, () => this.#shown());
    this.root.addEventListener('pause', () => this.#closed || this.#play());
    this.root.addEventListener('contextmenu', (e) => e.preventDefault()); // it offers controls
    const url = URL.createObjectURL(this.#source);
    this.#source.addEventListener('sourceopen', () => {
      URL.revokeObjectURL(url);
      if (this.#closed) return;
      this.#buffer = this.#source.addSourceBuffer(type);
      this.#buffer.addEventListener('updateend', () => this.#taken());
      this.#next();
    }, { once: true });
    this.root.src = url;
  }

  // taken is when the frame on screen was taken, as far as is known.
  get taken() {
    if (!this.#last) return undefined;
    const { film, taken } = this.#last;
    return taken + (Math.min(this.root.currentTime, film.end) - film.start) * 1000;
  }

  // add hands a part on. It returns whether that is on screen now, or soon: false for
  // a part that newer ones have overtaken. It throws words.
  add(v) {
    return new Promise((done, fail) => {
      this.#waiting.push({ v, done, fail });
      if (this.#waiting.length > most) this.#waiting.shift().done(false);
      this.#next();
    });
  }

  // #next makes room in the decoder, or gives it the next part.
  #next() {
    const b = this.#buffer;
    if (!b || b.updating || this.#given || this.#closed || !this.#waiting.length) return;
    const { film } = this.#waiting[0].v, old = b.buffered.length ? b.buffered.start(0) : 0;
    if (this.#last && film.start < this.#last.film.start) { // another clock: the camera was started again, for example
      this.#last = null;
      if (b.buffered.length) return b.remove(0, Infinity);
    }
    if (b.buffered.length && old < this.root.currentTime - 2 * behind) return b.remove(old, this.root.currentTime - behind);
    this.#given = this.#waiting.shift();
    try {
      this.#given.v.feed(b);
    } catch {
      this.#failed();
    }
  }

  // #taken goes on when the decoder has done what it was told.
  #taken() {
    if (this.#given && !this.#closed) {
      this.#last = this.#given.v;
      this.#edge(this.#last.film);
      this.#shown();
    } else {
      this.#next();
    }
  }

  // #edge keeps the screen at the newest end: it goes to the newest part where that
  // does not follow on what is played, or too late.
  #edge({ start, end }) {
    const { root } = this, t = root.currentTime, all = root.buffered;
    let on = false;
    for (let i = 0; i < all.length; i++) on ||= all.start(i) <= t + slack && all.end(i) >= end - slack;
    if (!on || t > end + slack || t < start - lag) root.currentTime = start + 0.001;
    this.#play();
  }

  // #shown tells that a part has come, once there is something to see.
  #shown() {
    if (!this.#given || !this.#last || this.root.readyState < 2) return;
    const { done } = this.#given;
    this.#given = null;
    done(true);
    this.#next();
  }

  #play() { this.root.play().catch(() => {}); } // it was taken away meanwhile

  #failed() {
    if (this.#closed) return;
    for (const { fail } of [this.#given, ...this.#waiting]) fail?.(new Error('Live view is verified, but this browser cannot decode it.'));
    this.close();
  }

  close() {
    this.#closed = true;
    for (const w of [this.#given, ...this.#waiting]) w?.done(false);
    this.#waiting = [];
    this.root.remove();
    this.root.pause();
    this.root.removeAttribute('src');
    this.root.load();
  }
}
