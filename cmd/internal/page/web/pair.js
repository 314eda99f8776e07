// The pairing view of the owner's page: the code that a camera reads from this
// screen, three steps, and two words to compare. The code is drawn module by
// module from what the owner's program says; it is no picture.

import { byId, el, icon, setText, shape } from './dom.js';
import { count, shortID } from './words.js';

const quiet = 4; // modules of light margin that readers need
const often = 600; // between two looks at how far it is
const keep = 'sealcam-owner'; // in this tab only

export class PairView {
  #token = '';
  #timer = 0;
  #drawn = ''; // the code that is on screen
  #said = ''; // the state that is on screen
  #step = '';

  constructor({ paired }) {
    this.paired = paired;
    this.dialog = byId('pair');
    this.button = byId('pair-button');
    this.name = el('input', { id: 'pair-name', maxlength: '40', autocomplete: 'off', required: true });
    this.button.addEventListener('click', () => this.open());
    this.dialog.addEventListener('close', () => this.#close());
    this.name.addEventListener('keydown', (e) => { if (e.key === 'Enter') this.#start(); });
  }

  // owner takes the token from the link, or the one that this tab has kept.
  owner(token) {
    this.#token = token || sessionStorage.getItem(keep) || '';
    if (token) sessionStorage.setItem(keep, token);
  }

  // offer shows the button where the owner's program takes cameras in.
  offer(there) { this.button.hidden = !there || !this.#token; }

  open() {
    if (this.button.hidden || this.dialog.open) return;
    this.#show({ step: '' });
    this.dialog.showModal();
    this.name.focus();
  }

  async #start() {
    const name = this.name.value.trim();
    if (!name) return this.name.focus();
    const failed = await this.#post('start', name);
    if (failed) return this.#show({ step: '', why: failed });
    await this.#look();
  }

  #confirm(yes) { this.#post(`confirm?yes=${yes ? 1 : 0}`).then(() => this.#look()); }

  async #close() {
    clearTimeout(this.#timer);
    if (this.#step === 'paired') this.name.value = '';
    if (!['', 'paired', 'failed'].includes(this.#step)) await this.#post('stop');
    this.#draw({});
  }

  // post returns '' or what went wrong.
  async #post(what, body = '') {
    try {
      const answer = await fetch(`pair/${what}`, { method: 'POST', body, headers: { 'Sealcam-Owner': this.#token } });
      return answer.ok ? '' : (await answer.text()).trim().slice(0, 300);
    } catch {
      return 'The server is not reached.';
    }
  }

  // look asks how far it is, and again after a moment while something may come.
  async #look() {
    clearTimeout(this.#timer);
    if (!this.dialog.open) return;
    const state = await fetch('pair', { headers: { 'Sealcam-Owner': this.#token }, cache: 'no-store' }).then((a) => (a.ok ? a.json() : null), () => null);
    if (!this.dialog.open) return;
    if (state) this.#show(state);
    if (!['paired', 'failed', ''].includes(state?.step)) this.#timer = setTimeout(() => this.#look(), often);
  }

  #show(s) {
    const before = this.#step;
    this.#step = s.step;
    this.#steps({ '': 0, failed: 0, shown: 1, read: 2, enrolled: 2, paired: 3 }[s.step] ?? 0);
    this.#draw(s);
    const sign = JSON.stringify([s.step, s.why, s.camera, s.refused, minutes(s)]);
    if (sign === this.#said) return;
    this.#said = sign;
    byId('pair-state').replaceChildren(...words(s));
    if (s.step !== before || s.step === '') this.#choices(s);
    if (s.step === 'paired' && before !== 'paired') this.paired();
  }

  #steps(now) {
    [...byId('pair-steps').children].forEach((li, i) => {
      li.classList.toggle('over', i < now);
      if (i === now) li.setAttribute('aria-current', 'step');
      else li.removeAttribute('aria-current');
    });
  }

  // draw shows the code, dark on light whatever the page's colours are: lenses
  // and readers expect it so.
  #draw({ size = 0, modules = '' }) {
    if (modules === this.#drawn) return;
    this.#drawn = modules;
    if (!modules) return byId('pair-code').replaceChildren();
    const side = size + 2 * quiet;
    const code = shape('svg', { class: 'code', viewBox: `0 0 ${side} ${side}`, role: 'img', 'aria-label': 'The code for the camera’s lens', 'shape-rendering': 'crispEdges' });
    let d = '';
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) if (modules[y * size + x] === '1') d += `M${x + quiet} ${y + quiet}h1v1h-1z`;
    }
    code.append(shape('path', { d }));
    byId('pair-code').replaceChildren(code);
  }

  #choices(s) {
    const button = (text, onclick, cls = 'ask') => el('button', { type: 'button', class: cls, onclick }, text);
    const choices = {
      '': () => [el('label', { for: 'pair-name' }, 'What is it called?'), this.name, button('Show the code', () => this.#start())],
      read: () => [button('The same: take it in', () => this.#confirm(true)), button('Not the same', () => this.#confirm(false), 'plain')],
      paired: () => [button('Done', () => this.dialog.close())],
      failed: () => [button('Try again', () => { this.#show({ step: '' }); this.name.focus(); })],
    }[s.step];
    byId('pair-choice').replaceChildren(...(choices?.() ?? []));
  }
}

const minutes = (s) => (s.step === 'shown' && s.expires ? Math.max(0, Math.ceil((s.expires - Date.now()) / 60000)) : 0);

// sentence begins with a capital, as errors of programs do not.
const sentence = (s) => s.charAt(0).toUpperCase() + s.slice(1);

// words says how far it is.
function words(s) {
  const line = (cls, text) => { const p = el('p', { class: cls }); setText(p, text); return p; };
  const refused = Object.entries(s.refused ?? {}).map(([reason, n]) => `${count(n, 'asker')} refused: ${reason}`);
  switch (s.step) {
    case 'shown': return [line('what', 'Waiting for a camera to read it'), line('done', [`Hold this screen an arm’s length in front of its lens. The code is good for ${count(minutes(s), 'minute')}, and for one camera.`, ...refused].join(' '))];
    case 'read': return [line('what', `Camera ${shortID(s.camera)} has read the code`), line('words-big', s.words ?? ''), line('done', 'Does the camera say the same two words? Then it is this one, and nobody is in between.')];
    case 'enrolled': return [line('what', `Taking in camera ${shortID(s.camera)}`), line('done', 'It is being told.')];
    case 'paired': return [el('p', { class: 'what' }, icon('yours', 'ok'), ` ${s.name} is yours`), line('done', `Camera ${shortID(s.camera)} seals for your household from now on.`)];
    case 'failed': return [line('what', 'No camera was taken in'), line('done', sentence(s.why ?? ''))];
  }
  return s.why ? [line('what', 'That did not work'), line('done', sentence(s.why))] : [line('done', 'You need the camera in reach, and about a minute.')];
}
