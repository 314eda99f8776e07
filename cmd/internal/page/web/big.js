// The big view: one verified picture in the whole window, with everything the
// camera said about it on demand.

import { byId, el, icon } from './dom.js';
import { bytes, cause, clock, day, light } from './words.js';

export class Big {
  #drop = null;
  #turn = 0;

  constructor({ name, neighbour }) {
    this.name = name;
    this.neighbour = neighbour; // (event, step) => event or null
    this.dialog = byId('big');
    this.img = el('img', { alt: '' });
    this.title = el('h2', { id: 'big-title' });
    this.chip = el('p', { class: 'chip' });
    this.strip = el('div', { class: 'strip', role: 'group', 'aria-label': 'Pictures of this event' });
    this.facts = el('dl');
    this.stage = el('div', { class: 'stage' }, this.img);
    const button = (name, label, onclick) => el('button', { type: 'button', class: `tool ${name}`, 'aria-label': label, onclick }, icon(name));
    this.older = button('left', 'Older', () => this.step(-1));
    this.newer = button('right', 'Newer', () => this.step(1));
    this.dialog.append(
      el('header', {}, this.title, this.chip, button('close', 'Close', () => this.dialog.close())),
      el('div', { class: 'middle' }, this.older, this.stage, this.newer),
      el('footer', {}, this.strip, el('details', {}, el('summary', {}, 'What the seal says'), this.facts),
        el('div', { class: 'saves' },
          el('button', { type: 'button', class: 'plain', onclick: () => this.picture.save(`${this.#file()}.jpg`) }, 'Save the picture'),
          el('button', { type: 'button', class: 'plain', onclick: () => this.picture.saveProof(`${this.#file()}.jpg.proof`) }, 'and its proof'))));
    this.dialog.addEventListener('close', () => this.#closed());
    this.dialog.addEventListener('click', (e) => { if (e.target === this.dialog) this.dialog.close(); });
  }

  get open() { return this.dialog.open; }

  show(event, picture = null) {
    this.event = event;
    this.picture = picture ?? event.pictures.find((p) => p.drawable) ?? event.pictures[0];
    if (!this.dialog.open) this.dialog.showModal();
    this.#draw();
  }

  // step goes to the next picture of the event, and past its ends to the next event.
  step(n) {
    const i = this.event.pictures.indexOf(this.picture) + n;
    if (i >= 0 && i < this.event.pictures.length) return this.show(this.event, this.event.pictures[i]);
    const next = this.neighbour(this.event, n);
    if (next) this.show(next, n < 0 ? next.pictures.at(-1) : next.pictures[0]);
  }

  async #draw() {
    const { event: e, picture: v } = this, turn = ++this.#turn;
    this.title.textContent = `${this.name(e.camera)}, ${cause(e.cause).toLowerCase()}`;
    this.chip.replaceChildren(icon('yours', 'ok'), el('span', { class: 'words' }, `Yours, ${day(v.taken, Date.now()).toLowerCase()} ${clock(v.taken)}`),
      ...(light(v.meta.light) ? [icon(v.meta.light, 'glyph'), el('span', { class: 'hidden' }, `, ${light(v.meta.light)}`)] : []));
    this.#strip();
    this.facts.replaceChildren(...facts(v).flatMap(([k, x]) => [el('dt', {}, k), el('dd', {}, x)]));
    this.older.disabled = !this.#has(-1);
    this.newer.disabled = !this.#has(1);
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
    const i = this.event.pictures.indexOf(this.picture) + n;
    return (i >= 0 && i < this.event.pictures.length) || this.neighbour(this.event, n) !== null;
  }

  #strip() {
    const { pictures } = this.event;
    this.strip.hidden = pictures.length < 2;
    this.strip.replaceChildren(...(pictures.length < 2 ? [] : pictures.map((p, i) => el('button', {
      type: 'button', class: 'part', 'aria-label': `Picture ${i + 1} of ${pictures.length}, verified`, 'aria-current': p === this.picture ? 'true' : null,
      onclick: () => this.show(this.event, p),
    }))));
  }

  #file() {
    const t = new Date(this.picture.taken).toISOString().replaceAll(':', '').slice(0, 17);
    return `${this.name(this.event.camera).replace(/[^\p{L}\p{N}]+/gu, '-')}-${t}`;
  }

  #closed() {
    this.#turn++;
    this.#drop?.();
    this.#drop = null;
    this.img.removeAttribute('src');
  }
}

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
