// The big view: one verified picture, or the clip of an event, in the whole
// window, with everything the camera said about it on demand.

import { delivery } from './clip.js';
import { byId, el, icon, setText } from './dom.js';
import { Player } from './player.js';
import { Verified } from './verified.js';
import { bytes, cause, clock, day, light } from './words.js';

export class Big {
  #drop = null;
  #turn = 0;

  constructor({ name, neighbour, hold }) {
    this.name = name;
    this.neighbour = neighbour; // (event, step) => event or null
    this.hold = hold; // (key of the event on screen, or null)
    this.player = new Player();
    this.dialog = byId('big');
    this.img = el('img', { alt: '' });
    this.title = el('h2', { id: 'big-title' });
    this.chip = el('p', { class: 'chip' });
    this.strip = el('div', { class: 'strip', role: 'group', 'aria-label': 'Pictures and clip of this event' });
    this.here = el('p', { class: 'delivery' });
    this.facts = el('dl');
    this.stage = el('div', { class: 'stage' }, this.img);
    const button = (name, label, onclick) => el('button', { type: 'button', class: `tool ${name}`, 'aria-label': label, onclick }, icon(name));
    this.older = button('left', 'Older', () => this.step(-1));
    this.newer = button('right', 'Newer', () => this.step(1));
    this.dialog.append(
      el('header', {}, this.title, this.chip, button('close', 'Close', () => this.dialog.close())),
      el('div', { class: 'middle' }, this.older, this.stage, this.player.root, this.newer),
      el('footer', {}, this.strip, el('details', {}, el('summary', {}, 'What the seal says'), this.facts),
        el('div', { class: 'saves' },
          this.save = el('button', { type: 'button', class: 'plain', onclick: () => this.#save() }),
          el('button', { type: 'button', class: 'plain', onclick: () => this.#saveProof() }, 'and its proof')), this.here));
    this.dialog.addEventListener('close', () => this.#closed());
    this.dialog.addEventListener('click', (e) => { if (e.target === this.dialog) this.dialog.close(); });
  }

  get open() { return this.dialog.open; }

  // clip is the clip that is on screen, null while it is a picture.
  get clip() { return this.open && this.picture === this.event.clip ? this.event.clip : null; }

  // show shows a picture of an event or its clip; if that is not said, its clip.
  show(event, picture = null) {
    this.event = event;
    this.picture = picture ?? (hasClip(event) ? event.clip : event.pictures.find((p) => p.drawable) ?? event.pictures[0]);
    if (!this.picture) return; // its clip is not here any more, and there is no picture
    this.hold(event.key);
    if (!this.dialog.open) this.dialog.showModal();
    this.#clear();
    this.dialog.dataset.shows = this.clip ? 'clip' : 'picture';
    if (this.clip) this.#film();
    else this.#draw();
  }

  // refresh takes note of what has come since.
  refresh() {
    if (!this.clip) return;
    this.player.refresh();
    this.#clipWords();
  }

  // step goes to the next picture of the event, and past its ends to the next event.
  step(n) {
    const all = items(this.event), i = all.indexOf(this.picture) + n;
    if (i >= 0 && i < all.length) return this.show(this.event, all[i]);
    const next = this.neighbour(this.event, n);
    if (next) this.show(next, n < 0 ? items(next).at(-1) : items(next)[0]);
  }

  #film() {
    const { event: e } = this, first = e.clip.parts.get(e.clip.numbers[0]);
    this.title.textContent = `${this.name(e.camera)}, ${cause(e.cause).toLowerCase()}`;
    this.chip.replaceChildren(icon('yours', 'ok'), el('span', { class: 'words' }, `Yours, ${day(e.start, Date.now()).toLowerCase()} ${clock(e.start)}`),
      ...(light(first.meta.light) ? [icon(first.meta.light, 'glyph'), el('span', { class: 'hidden' }, `, ${light(first.meta.light)}`)] : []));
    this.#strip();
    this.#facts(first);
    this.player.open(e.clip);
    this.#clipWords();
    // Where a person moves from event to event, the focus stays; else the next Space plays.
    if (!document.activeElement.closest('.middle > .tool, .strip')) this.player.toggle.focus();
  }

  #clipWords() {
    setText(this.save, this.clip.whole ? 'Save the clip' : 'Save what is here of it');
    setText(this.here, `${delivery(this.clip)} · ${bytes(this.clip.size)}`);
  }

  #save() {
    if (this.clip) Verified.saveFilm(this.#parts(), `${this.#file()}.mp4`);
    else this.picture.save(`${this.#file()}.jpg`);
  }

  // #saveProof saves the proof of the same: of a clip, of each part that is here.
  #saveProof() {
    if (this.clip) Verified.saveFilmProof(this.#parts(), `${this.#file()}.mp4.proof`);
    else this.picture.saveProof(`${this.#file()}.jpg.proof`);
  }

  #parts() { return this.clip.numbers.map((n) => this.clip.parts.get(n)); }

  #facts(v) {
    this.facts.replaceChildren(...facts(v).flatMap(([k, x]) => [el('dt', {}, k), el('dd', {}, x)]));
    this.older.disabled = !this.#has(-1);
    this.newer.disabled = !this.#has(1);
  }

  async #draw() {
    const { event: e, picture: v } = this, turn = ++this.#turn;
    this.title.textContent = `${this.name(e.camera)}, ${cause(e.cause).toLowerCase()}`;
    this.chip.replaceChildren(icon('yours', 'ok'), el('span', { class: 'words' }, `Yours, ${day(v.taken, Date.now()).toLowerCase()} ${clock(v.taken)}`),
      ...(light(v.meta.light) ? [icon(v.meta.light, 'glyph'), el('span', { class: 'hidden' }, `, ${light(v.meta.light)}`)] : []));
    this.#strip();
    this.#facts(v);
    setText(this.save, 'Save the picture');
    setText(this.here, '');
    this.img.alt = `${this.name(e.camera)}, verified, ${clock(v.taken)}, ${light(v.meta.light) || 'light unknown'}`;
    try {
      const drop = await v.draw(this.img, () => turn === this.#turn && this.dialog.open);
      if (!drop) return;
      this.#drop = drop;
      this.stage.classList.remove('undrawn');
    } catch (err) {
      if (turn !== this.#turn) return;
      this.stage.classList.add('undrawn');
      this.img.alt = err.message;
    }
  }

  #has(n) {
    const all = items(this.event), i = all.indexOf(this.picture) + n;
    return (i >= 0 && i < all.length) || this.neighbour(this.event, n) !== null;
  }

  #strip() {
    const all = items(this.event);
    this.strip.hidden = all.length < 2;
    this.strip.replaceChildren(...(all.length < 2 ? [] : all.map((p, i) => el('button', {
      type: 'button', class: p === this.event.clip ? 'part whole' : 'part', 'aria-current': p === this.picture ? 'true' : null,
      'aria-label': p === this.event.clip ? 'The clip' : `Picture ${i + 1} of ${this.event.pictures.length}, verified`, onclick: () => this.show(this.event, p),
    }, ...(p === this.event.clip ? [icon('play'), 'Clip'] : [])))));
  }

  #file() {
    const t = new Date(this.clip ? this.event.start : this.picture.taken).toISOString().replaceAll(':', '').slice(0, 17);
    return `${this.name(this.event.camera).replace(/[^\p{L}\p{N}]+/gu, '-')}-${t}`;
  }

  #clear() {
    this.#turn++;
    this.player.close();
    this.#drop?.();
    this.#drop = null;
    this.img.removeAttribute('src');
  }

  #closed() {
    this.#clear();
    this.hold(null);
  }
}

const hasClip = (e) => (e.clip?.parts.size ?? 0) > 0;

// items lists what of an event can be looked at: its pictures, then its clip.
const items = (e) => [...e.pictures, ...(hasClip(e) ? [e.clip] : [])];

// facts lists what the seal says, for those who want to know.
export function facts(v) {
  const m = v.meta;
  return [
    ['Camera', v.camera],
    ['Number', `${m.seq} (${m.stream})`],
    ['Taken', m.clock === 'none' ? 'the camera had no clock' : `${new Date(m.taken).toISOString()} (clock: ${m.clock})`],
    ['Received', new Date(v.received).toISOString()],
    ['Size', `${m.width} × ${m.height}, ${bytes(v.size)}`],
    ['Event', m.event ? `${m.event} since the camera started` : 'none'],
    ['Recognised', (m.labels ?? []).map((l) => `${l.name} ${Math.round(l.score / 10)} %`).join(', ')],
    ['Firmware', m.firmware],
    ['Household list', `version ${m.roster}`],
    ['Seal', v.hash],
    ['After seal', /[1-9a-f]/.test(m.prev) ? m.prev : ''],
  ].filter(([, x]) => x);
}
