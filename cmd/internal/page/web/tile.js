// The tile of one camera: a verified picture while its verdict holds, or a card
// that says why there is none. The verdict stands outside the picture, where no
// picture can paint one.

import { el, icon, setIcon, setText } from './dom.js';
import { Live } from './live.js';
import { ago, clock, light, minute, shortID } from './words.js';

const askPatience = 12000; // how long an answer is waited for
const answerStays = 15000; // how long it is told what became of a question

export class Tile {
  state = 'waiting'; // waiting, live, ageing, stale, refused, closed
  shown = null; // the Verified on screen, null while there is none
  last = null; // the newest Verified there ever was
  refusal = null; // the newest refusal
  proven = 0; // when a picture was last proven live
  watching = false; // live view is wanted
  still = null; // the newest Verified that is no frame of live view
  says = null; // what the camera says about itself: see Verified.status
  #asked = 0;
  #answer = null; // what became of the last question, in words
  #answered = 0;
  #offline = '';
  #turn = 0; // counts what arrived, so that a slow decode never beats what came later
  #drop = null;
  #film = null; // what plays live view of compressed video

  constructor(camera, { ask, watch, change }) {
    this.camera = camera;
    this.change = change;
    this.send = watch;
    this.shield = icon('wait');
    this.words = el('span', { class: 'words' }, 'Waiting');
    this.glyph = icon('day', 'glyph');
    this.lightWord = el('span', { class: 'hidden' });
    this.masked = el('span', { class: 'masked' });
    this.chip = el('p', { class: 'chip' }, this.shield, this.words, this.glyph, this.lightWord, this.masked);
    this.name = el('h2', { class: 'name' });
    this.img = el('img', { alt: '', draggable: 'false', onclick: () => this.watch() });
    this.card = el('div', { class: 'card' });
    this.stage = el('div', { class: 'stage' }, this.img, this.card);
    this.button = el('button', { type: 'button', class: 'ask', onclick: () => this.#ask(ask) }, 'Show me now');
    this.live = el('button', { type: 'button', class: 'ask watch', 'aria-pressed': 'false', onclick: () => this.watch() }, 'Live view');
    this.note = el('p', { class: 'note' });
    this.runs = el('p', { class: 'runs', hidden: true });
    this.trouble = el('p', { class: 'trouble', hidden: true });
    this.root = el('article', { class: 'tile', 'data-camera': camera, tabindex: '-1' },
      el('header', {}, this.name, this.chip), this.stage, el('footer', {}, this.live, this.button, this.note, this.runs, this.trouble));
    this.rename(shortID(camera));
    this.#enter('waiting', Date.now());
  }

  rename(name) {
    this.label = name;
    setText(this.name, name);
    this.root.setAttribute('aria-label', name);
    this.button.setAttribute('aria-label', `Show me now: ${name}`);
    this.#nameLive();
  }

  // watch turns live view on or off; without an argument, over.
  watch(on = !this.watching) {
    if (on === this.watching || on && this.live.disabled) return;
    this.watching = on;
    this.root.toggleAttribute('data-watching', on);
    this.live.setAttribute('aria-pressed', String(on));
    this.#nameLive();
    this.#tell(null);
    this.look(true);
  }

  #nameLive() {
    setText(this.live, this.watching ? 'End live view' : 'Live view');
    this.live.setAttribute('aria-label', `${this.live.textContent}: ${this.label}`);
  }

  // look asks for live view while it is wanted and somebody looks.
  look(seen) { this.send(this.camera, this.watching && seen); }

  // verified takes a live picture, or a frame of live view. Between frames no other
  // picture is drawn.
  async verified(v) {
    if (this.says?.closed && v.taken <= this.says.closed.at) return; // of before it was closed
    const view = v.meta.stream === 'view';
    if (view && !this.watching) return;
    if (!view) this.still = v;
    if (!view && !v.fresh && this.watching && this.shown?.meta.stream === 'view' && Date.now() < this.shown.until) return;
    const turn = ++this.#turn;
    this.last = v;
    if (this.away) this.says = null; // it is back
    if (v.fresh && !view) {
      this.proven = Date.now();
      if (this.#asked) this.#tell(`Proven live: it answered after ${((v.received - this.#asked) / 1000).toFixed(1)} s`);
    }
    let drop;
    try {
      drop = await (v.film ? this.#play(v, turn) : v.draw(this.img, () => turn === this.#turn));
    } catch (err) {
      if (turn === this.#turn) this.#tell(err.message);
      return;
    }
    if (!drop) return; // something newer has taken the screen
    this.#drop = drop;
    if (!v.film) this.#endFilm();
    this.shown = v;
    this.#face(true);
    const { width, height } = v.meta;
    if (width > 0 && height > 0) this.root.style.setProperty('--shape', `${width} / ${height}`);
    this.tick(Date.now());
  }

  // #play adds a part of live view to what plays, and returns what ends that; null
  // where something newer has come meanwhile.
  async #play(v, turn) {
    const type = Live.typeOf(v);
    if (this.#film?.type !== type) {
      this.#endFilm();
      this.#film = new Live(type);
      this.#film.root.hidden = true;
      this.#film.root.addEventListener('click', () => this.watch());
      this.stage.prepend(this.#film.root);
    }
    const film = this.#film;
    try {
      if (!await film.add(v) || turn !== this.#turn) return null;
    } catch (err) {
      if (film === this.#film) this.#endFilm();
      throw err;
    }
    if (!this.shown?.film) this.#drop?.(); // the picture before
    return () => this.#endFilm();
  }

  #endFilm() {
    this.#film?.close();
    this.#film = null;
  }

  // status takes what the camera says about itself. Its will says "offline": the
  // broker publishes it when the camera is gone.
  status(says) {
    this.says = says;
    const words = says.troubles.length ? says.troubles : says.care;
    this.trouble.hidden = words.length === 0;
    setText(this.trouble, `The camera says: ${words.join('; ')}`);
    const { version, trial, celsius } = says.runs;
    const runs = [version && version + (trial ? ', on trial' : ''), celsius !== null && `${Math.round(celsius)} °C`].filter(Boolean);
    this.runs.hidden = runs.length === 0;
    setText(this.runs, runs.join(', '));
    if (says.closed) this.#close();
    else if (this.state === 'closed') this.#enter('waiting', Date.now());
    else if (this.state === 'stale' || this.state === 'waiting') this.#enter(this.state, Date.now());
    this.change(this, this.state);
  }

  // #close takes the picture away at once: its camera is closed for privacy.
  #close() {
    if (this.shown && this.shown.taken > this.says.closed.at) return;
    this.#turn++;
    this.#enter('closed', Date.now());
  }

  get away() { return this.says?.state === 'offline'; }

  // refused takes a refusal of something that claimed to be this camera's live
  // picture. The picture goes at once.
  refused(r) {
    this.#turn++;
    this.refusal = r;
    this.#enter('refused', Date.now());
  }

  // offline tells why nothing can arrive, or '' when it can.
  offline(why) {
    this.#offline = why;
    this.button.disabled = this.live.disabled = why !== '';
    this.tick(Date.now());
  }

  asked(ok, text) {
    if (ok) return;
    this.#tell(text || 'The question could not be sent.');
    this.tick(Date.now());
  }

  // #tell says what became of a question.
  #tell(text) {
    this.#asked = 0;
    this.#answer = text;
    this.#answered = Date.now();
  }

  #ask(ask) {
    this.#asked = Date.now();
    this.#answer = null;
    ask(this.camera);
    this.tick(Date.now());
  }

  // question asks as the button would.
  question() { if (!this.button.disabled) this.button.click(); }

  // tick lets the picture age. Call it every second or so.
  tick(now) {
    if (this.state === 'refused' && !this.shown) {
      setText(this.words, `Refused, ${ago(now - this.refusal.received)}`);
    } else if (this.shown && now >= this.shown.until) {
      const { still } = this;
      if (!this.watching && still && still !== this.shown && now < still.until) return void this.verified(still);
      this.#enter('stale', now);
    } else if (this.shown) {
      this.#age(now);
    }
    this.#notes(now);
  }

  #age(now) {
    const v = this.shown, from = Math.min(v.taken, v.received);
    const part = (now - from) / Math.max(1, v.until - from);
    const next = part > 0.4 && now - from > 2500 ? 'ageing' : 'live';
    this.stage.style.setProperty('--dim', next === 'live' ? '1' : Math.max(0.35, 1.25 - part).toFixed(2));
    if (this.state !== next) this.#enter(next, now);
    const proven = v.fresh;
    setIcon(this.shield, proven ? 'live' : 'yours');
    setText(this.words, `${proven ? 'Proven live' : 'Yours'}, ${ago(now - (this.#film?.taken ?? v.taken))}`);
    setText(this.masked, v.meta.masks ? ', parts hidden' : '');
  }

  #notes(now) {
    if (this.#asked && now - this.#asked > askPatience) {
      this.#tell(`No answer in ${askPatience / 1000} s. The camera may be off or out of reach.`);
    }
    if (now - this.#answered > answerStays) this.#answer = null;
    this.button.classList.toggle('busy', this.#asked > 0);
    setText(this.note, this.#asked ? 'Asking the camera…' : this.#answer ?? '');
  }

  #enter(state, now) {
    const before = this.state;
    this.state = state;
    this.root.dataset.state = state;
    const pictured = state === 'live' || state === 'ageing';
    if (!pictured) this.#takeAway();
    this.#face(pictured);
    this.card.hidden = pictured;
    this.#showLight(pictured ? this.shown.meta.light : '');
    if (!pictured) setText(this.masked, '');
    const words = pictured ? `${this.label}, verified, ${light(this.shown.meta.light) || 'light unknown'}` : '';
    if (pictured) this.img.alt = words;
    if (pictured) this.#film?.root.setAttribute('aria-label', words);
    else this.card.replaceChildren(...this[`${state}Card`](now));
    if (before !== state) this.change(this, before);
  }

  // #face shows the picture, or the film, or neither.
  #face(pictured) {
    this.img.hidden = !pictured || this.#film !== null;
    if (this.#film) this.#film.root.hidden = !pictured;
  }

  #takeAway() {
    this.#drop?.();
    this.#drop = null;
    this.#endFilm();
    this.shown = null;
    this.img.removeAttribute('src');
    this.img.alt = '';
  }

  #showLight(l) {
    const known = light(l) !== '';
    this.glyph.toggleAttribute('hidden', !known);
    if (known) setIcon(this.glyph, l);
    setText(this.lightWord, known ? `, ${light(l)}` : '');
  }

  waitingCard() {
    setIcon(this.shield, 'wait');
    setText(this.words, 'Waiting');
    return [icon('camera'), el('p', { class: 'what' }, this.away ? 'The camera is off, or out of reach' : 'Waiting for the first picture')];
  }

  staleCard() {
    setIcon(this.shield, 'old');
    setText(this.words, 'No fresh picture');
    return [icon('old'), el('p', { class: 'what' }, `No fresh picture since ${clock(this.last.taken)}`),
      el('p', { class: 'done' }, this.#offline || (this.away ? 'The camera is off, or out of reach.' : 'The last one ran out and was taken away.'))];
  }

  closedCard() {
    const { since, until } = this.says.closed;
    setIcon(this.shield, 'closed');
    setText(this.words, 'Privacy');
    return [icon('closed'), el('p', { class: 'what' }, since ? `Privacy since ${minute(since)}` : 'Privacy'),
      el('p', { class: 'done' }, until ? `The camera is closed, and opens at ${minute(until)}.` : 'The camera is closed until somebody opens it.')];
  }

  refusedCard() {
    setIcon(this.shield, 'refused');
    setText(this.words, 'Refused');
    return refusalWords(this.refusal);
  }
}

// refusalWords says a refusal: what is wrong, what was done, and on demand
// which check it was.
export function refusalWords(r) {
  const rows = [['Reason', r.reason], ['Arrived as', `${r.kind} of ${shortID(r.camera)}`], ['At', clock(r.received)], ['Check', r.detail]];
  return [
    icon('refused'),
    el('p', { class: 'what' }, r.person),
    el('p', { class: 'done' }, r.alarm ? 'It was not shown. Two genuine seals contradict each other: this camera may have been copied or set back.' : 'It was not shown.'),
    el('details', {}, el('summary', {}, 'Details'),
      el('dl', {}, ...rows.filter(([, v]) => v).flatMap(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]))),
  ];
}
