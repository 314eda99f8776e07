// The player of a clip. It has a clock of its own, so that what is missing takes
// the time that it took: a hole is shown as a hole, and never jumped over.

import { at as segmentAt, delivery, endedWords } from './clip.js';
import { el, icon, setIcon, setText } from './dom.js';
import { codecName, screenOf } from './screen.js';
import { clock, stamp } from './words.js';

const jump = 1, far = 5; // seconds that a key scrubs

export class Player {
  clip = null;
  playing = false;
  #at = 0;
  #screen = null;
  #shown = null; // the segment on screen
  #frame = 0; // of requestAnimationFrame
  #last = 0;
  #sought = false; // the screen is to be told where to go on

  constructor() {
    const button = (cls, glyph, label, onclick) => el('button', { type: 'button', class: `tool ${cls}`, 'aria-label': label, title: label, onclick }, icon(glyph));
    this.film = el('div', { class: 'stage' });
    this.words = el('div', { class: 'card', hidden: true });
    this.heard = el('p', { class: 'hidden', role: 'status' });
    this.film.append(this.words);
    this.before = el('i', { class: 'before', 'aria-hidden': 'true' }, el('b', {}, 'before'));
    this.bar = el('input', { type: 'range', min: '0', step: 'any', value: '0', 'aria-label': 'Place in the clip', oninput: () => this.seek(Number(this.bar.value)), onkeydown: (e) => this.#scrub(e) });
    this.strip = el('div', { class: 'verdicts', role: 'img', onclick: (e) => this.#clicked(e) });
    this.toggle = button('play', 'play', 'Play', () => this.toggled());
    this.time = el('span', { class: 'time' });
    this.wall = el('span', { class: 'wall' });
    this.verdict = el('span', { class: 'verdict' });
    this.root = el('div', { class: 'player' }, this.film, this.heard,
      el('div', { class: 'track' }, el('div', { class: 'scrub' }, this.before, this.bar), this.strip),
      el('div', { class: 'controls' }, button('', 'back', 'One frame back (,)', () => this.step(-1)), this.toggle, button('', 'forth', 'One frame on (.)', () => this.step(1)), this.time, this.wall, this.verdict));
  }

  // open shows a clip from its begin, and plays it unless motion is not wanted.
  open(clip) {
    this.close();
    this.clip = clip;
    this.#at = 0;
    this.#screen = screenOf(clip, () => this.#cannot());
    if (this.#screen) this.film.prepend(this.#screen.root);
    this.film.style.setProperty('--shape', `${clip.some.film.width} / ${clip.some.film.height}`);
    this.refresh();
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) this.play();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.playing = false;
    this.#screen?.close();
    this.#screen?.root.remove();
    this.#screen = this.clip = this.#shown = null;
  }

  // refresh takes note of parts that have come, or were refused, since.
  refresh() {
    if (!this.clip?.parts.size) return;
    this.segments = this.clip.segments();
    this.stops = this.clip.stops(this.segments);
    this.bar.max = String(this.clip.length);
    this.before.hidden = this.clip.preRoll <= 0;
    this.before.style.width = this.#percent(this.clip.preRoll);
    this.#drawStrip();
    this.#screen?.refresh();
    this.#shown = null;
    this.#show();
  }

  // play, pause, toggled, seek and step are what keys and buttons do.
  play() {
    if (!this.#screen) return;
    if (this.#at >= this.clip.length - 1e-3) this.#at = 0;
    this.playing = this.#sought = true;
    this.#last = performance.now();
    this.#show();
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame((now) => this.#tick(now));
  }

  pause() {
    this.playing = false;
    cancelAnimationFrame(this.#frame);
    this.#screen?.pause();
    this.#show();
    this.#hear();
  }

  toggled() { if (this.playing) this.pause(); else this.play(); }

  seek(t) {
    this.#at = Math.min(this.clip.length, Math.max(0, t));
    this.#sought = true;
    this.#show();
    if (!this.playing) this.#hear();
  }

  step(n) {
    if (!this.clip) return;
    if (this.playing) this.pause();
    let i = this.stops.findLastIndex((s) => s <= this.#at + 1e-6);
    if (n < 0 && this.#at > this.stops[i] + 1e-6) i++; // from within a frame, back to its begin
    this.seek(this.stops[Math.min(this.stops.length - 1, Math.max(0, i + n))]);
  }

  #tick(now) {
    if (!this.playing) return;
    const own = this.#screen.time, seg = this.#shown;
    if (seg.kind !== 'part' || own === null) this.#at += Math.max(0, now - this.#last) / 1000;
    else if (this.#ends(seg, own)) this.#at = seg.to;
    else this.#at = Math.max(this.#at, own);
    this.#last = now;
    if (this.#at >= this.clip.length) {
      this.#at = this.clip.length;
      return this.pause();
    }
    this.#show();
    this.#frame = requestAnimationFrame((t) => this.#tick(t));
  }

  // #ends reports whether a decoder that keeps its own time has come to the end of
  // what is joined: it stops a little in front of it.
  #ends(seg, time) {
    const next = this.segments[this.segments.indexOf(seg) + 1];
    if (next?.kind === 'part' && next.part.film.start <= seg.to + 1e-3) return time >= seg.to;
    if (time < seg.to - 0.04) return false;
    this.#sought = true;
    return true;
  }

  #show() {
    const seg = segmentAt(this.segments, this.#at), entered = seg !== this.#shown;
    this.#shown = seg;
    if (seg.kind !== 'part') this.#screen?.pause();
    else if (!this.playing) this.#screen?.show(seg.part, this.#at);
    else if (this.#sought || this.#screen.time === null) this.#screen.play(seg.part, this.#at);
    this.#sought = false;
    if (entered) this.#enter(seg);
    this.bar.value = String(this.#at);
    const wall = this.#wall(seg);
    setText(this.time, `${stamp(this.#at)} / ${stamp(this.clip.length)}`);
    setText(this.wall, wall);
    const label = this.playing ? 'Pause' : 'Play';
    setIcon(this.toggle.firstElementChild, label.toLowerCase());
    this.toggle.setAttribute('aria-label', label);
    this.toggle.disabled = !this.#screen;
    const second = Math.floor(this.#at * (this.playing ? 1 : 1000));
    if (second !== this.spoken) this.bar.setAttribute('aria-valuetext', `${stamp(this.#at)} of ${stamp(this.clip.length)}, ${this.#say(seg)}`);
    this.spoken = second;
  }

  // #enter turns the stage to a segment: its film, or words why there is none.
  #enter(seg) {
    const there = seg.kind === 'part' && this.#screen;
    this.film.dataset.kind = there ? 'part' : seg.kind === 'part' ? 'cannot' : seg.kind;
    this.words.hidden = Boolean(there);
    if (!there) this.words.replaceChildren(...this.#card(seg));
    const sign = { part: 'yours', refused: 'refused' }[seg.kind] ?? 'gap';
    this.verdict.replaceChildren(icon(sign, sign === 'yours' ? 'ok' : ''), this.#say(seg));
    if (this.playing && !there) this.#hear();
    [...this.strip.children].forEach((e, i) => e.toggleAttribute('aria-current', this.segments[i] === seg));
  }

  #card(seg) {
    const words = (glyph, what, done) => [icon(glyph), el('p', { class: 'what' }, what), el('p', { class: 'done' }, done)];
    const name = `Part ${seg.n + 1}`, span = `${stamp(seg.from)} to ${stamp(seg.to)}`;
    switch (seg.kind) {
      case 'part': return words('old', 'This browser cannot play this clip', `It is ${codecName(this.clip.some.film.codec)}, and every part of it is verified. Save it, and play it elsewhere.`);
      case 'hole': return words('gap', `${name} is missing`, this.clip.asked ? `${span}. It is asked for, and appears here when it comes.` : `${span}. It is not proven, or not in the file.`);
      case 'lost': return words('gap', `${name} will never come`, `${span}. The camera ran out of room and says so.`);
      case 'refused': return words('refused', seg.why.person.replace(/^This picture/, name), `${span}. It was not shown, and is asked for again.`);
      default: return words('gap', 'No pictures here', `${span}. The camera itself had none.`);
    }
  }

  // #say is the verdict on a segment, in words.
  #say(seg) {
    const part = `Part ${seg.n + 1}${this.clip.last >= 0 ? ` of ${this.clip.last + 1}` : ''}`;
    switch (seg.kind) {
      case 'part': return `${part}: yours${this.#at < this.clip.preRoll ? ', before the event' : ''}${this.#notes(seg)}`;
      case 'hole': return `${part}: missing`;
      case 'lost': return `${part}: will never come`;
      case 'refused': return `${part}: refused, ${seg.why.reason}`;
      default: return 'No pictures here';
    }
  }

  #notes({ n, part }) {
    const notes = [part.late ? ', came late' : '', this.clip.doubled.has(n) ? ', came twice and is shown once' : '', this.clip.faults.has(n) ? `, another one left out: ${this.clip.faults.get(n)}` : ''];
    if (n === this.clip.last && this.clip.ended) notes.push(`. ${endedWords(this.clip.ended)}`);
    return notes.join('');
  }

  #wall({ kind, part }) {
    const taken = part ? part.taken + (this.#at - part.film.start) * 1000 : this.clip.zero + this.#at * 1000;
    if (this.clip.some.meta.clock === 'none') return 'the camera had no clock';
    return kind === 'part' ? `${clock(taken)}.${Math.floor((taken % 1000) / 100)}` : clock(taken);
  }

  // #hear lets a screen reader know where the clip stands.
  #hear() { setText(this.heard, `${this.#say(this.#shown)}, ${stamp(this.#at)}`); }

  #drawStrip() {
    const parts = this.segments.map((s) => {
      const e = el('i', { 'data-kind': s.kind, title: this.#say(s) });
      e.style.left = this.#percent(s.from);
      e.style.width = this.#percent(s.to - s.from);
      if (s.kind === 'refused') e.append(icon('cross'));
      return e;
    });
    this.strip.replaceChildren(...parts);
    const few = (kind, words) => {
      const all = this.segments.filter((s) => s.kind === kind).map((s) => s.n + 1);
      return all.length ? `, ${words} ${all.join(', ')}` : '';
    };
    this.strip.setAttribute('aria-label', `${delivery(this.clip)}: ${this.clip.parts.size} verified${few('hole', 'missing')}${few('lost', 'lost')}${few('refused', 'refused')}`);
  }

  #percent(t) { return `${(100 * t / Math.max(1e-3, this.clip.length)).toFixed(3)}%`; }

  #clicked(e) {
    const box = this.strip.getBoundingClientRect();
    this.seek(((e.clientX - box.left) / box.width) * this.clip.length);
  }

  #scrub(e) {
    const by = { ArrowLeft: -jump, ArrowDown: -jump, ArrowRight: jump, ArrowUp: jump, PageDown: -far, PageUp: far, Home: -Infinity, End: Infinity }[e.key];
    if (!by || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    this.seek(this.#at + by);
  }

  #cannot() {
    this.#screen?.close();
    this.#screen?.root.remove();
    this.#screen = null;
    this.playing = false;
    this.#shown = null;
    this.#show();
  }
}
