// The proof view: media that somebody published, and the proof beside it, as
// sealcam export writes them. They are checked here like everything else, and
// it takes no key: this view works in any browser.

import { byId, el, icon } from './dom.js';
import { bytes, cause, light } from './words.js';

const maxProof = 12 << 10, maxMedia = 8 << 20; // of the format

export class ProofView {
  #turn = 0; // counts checks, so that a slow one never beats a later one
  #drop = null;
  #files = { proof: null, media: null };

  // check sends (turn, proof, media); name says what the household calls a
  // camera, '' for one that is not its own.
  constructor({ check, name }) {
    this.check = check;
    this.name = name;
    this.dialog = byId('proof');
    this.input = byId('proof-files');
    this.state = byId('proof-state');
    this.input.addEventListener('change', () => this.take(this.input.files));
    this.dialog.addEventListener('close', () => this.#clear());
    addEventListener('dragover', (e) => { if (carriesFiles(e)) e.preventDefault(); });
    addEventListener('drop', (e) => {
      if (!carriesFiles(e)) return;
      e.preventDefault(); // else the browser opens the file in place of the page
      this.open();
      this.take(e.dataTransfer.files);
    });
  }

  open() {
    if (this.dialog.open) return;
    for (const other of document.querySelectorAll('dialog[open]')) other.close();
    this.dialog.showModal();
    this.#clear();
  }

  // take remembers the files, and checks once there is a proof and its media.
  async take(list) {
    const files = [...list];
    this.input.value = '';
    for (const f of files) this.#files[f.name.endsWith('.proof') ? 'proof' : 'media'] = f;
    const { proof, media } = this.#files, turn = ++this.#turn;
    this.#away();
    if (files.length > 2) return this.#say('One picture at a time', 'Drop a picture and its proof: two files.');
    if (!proof) return this.#say(`${media.name} is here`, 'Now its proof: the file that ends in .proof.');
    if (!media) return this.#say(`${proof.name} is here`, 'Now the picture that it is the proof of.');
    if (proof.size > maxProof || media.size > maxMedia) return this.#refused({ person: 'This file is too large to be one of sealcam’s', reason: 'malformed', detail: `proof of ${proof.size} bytes, media of ${media.size} bytes` });
    this.#say('Checking', `${media.name} against ${proof.name}`);
    try {
      const [claims, data] = await Promise.all([proof.arrayBuffer(), media.arrayBuffer()]);
      if (turn === this.#turn) this.check(turn, new Uint8Array(claims), new Uint8Array(data));
    } catch {
      if (turn === this.#turn) this.#say('The files could not be read', 'Choose them again.');
    }
  }

  // proven shows what was proven, and the picture itself.
  async proven({ turn, shown: v }) {
    if (turn !== this.#turn || !this.dialog.open) return;
    this.#files = { proof: null, media: null };
    const ours = this.name(v.camera);
    const img = el('img', { alt: `Proven picture, taken: ${when(v)}` });
    const stage = el('div', { class: 'stage' }, img);
    this.#show('proven', icon('yours', 'ok'), 'Proven: exactly as the camera sealed it',
      ours ? `It is your household’s camera ${ours}. The time is the camera’s own word.`
        : 'Whose camera that is, a proof does not show: compare its id with one that you know. The time is the camera’s own word.',
      el('dl', {}, ...facts(v).flatMap(([k, x]) => [el('dt', {}, k), el('dd', {}, x)])));
    if (!v.drawable) return;
    this.state.prepend(stage);
    try {
      this.#drop = await v.draw(img, () => turn === this.#turn && this.dialog.open);
    } catch {
      stage.remove(); // proven all the same
    }
  }

  // unproven says why, in the place of the picture.
  unproven({ turn, ...refusal }) {
    if (turn !== this.#turn) return;
    this.#files = { proof: null, media: null };
    this.#refused(refusal);
  }

  #refused({ person, reason, detail }) {
    this.#show('refused', icon('refused'), person, 'Nothing is proven, and it was not shown.',
      el('details', {}, el('summary', {}, 'Details'), el('dl', {}, el('dt', {}, 'Reason'), el('dd', {}, reason), el('dt', {}, 'Check'), el('dd', {}, detail))));
  }

  #say(what, done) { this.#show('asking', icon('wait'), what, done); }

  #show(mood, sign, what, done, ...more) {
    this.state.dataset.mood = mood;
    this.state.replaceChildren(el('div', { class: 'outcome' }, sign, el('div', {}, el('p', { class: 'what' }, what), el('p', { class: 'done' }, done))), ...more);
  }

  #away() {
    this.#drop?.();
    this.#drop = null;
  }

  #clear() {
    this.#turn++;
    this.#away();
    this.#files = { proof: null, media: null };
    this.#show('asking', icon('proof'), 'Is this picture what a camera sealed?', 'Drop it here with its proof, the two files that sealcam export writes. They do not leave this browser.');
  }
}

const carriesFiles = (e) => e.dataTransfer?.types.includes('Files');

const when = (v) => (v.meta.clock === 'none' || !v.meta.taken ? 'unknown, the camera had no clock' : `${new Date(v.meta.taken).toISOString().replace('T', ' ').replace('Z', ' UTC')}, clock from ${v.meta.clock}`);

// facts lists what the proof shows, in the order in which people ask.
function facts(v) {
  const m = v.meta;
  return [
    ['Camera', v.camera],
    ['Taken', when(v)],
    ['Cause', m.cause && cause(m.cause).toLowerCase()],
    ['Light', light(m.light)],
    ['Recognised', (m.labels ?? []).map((l) => `${l.name} ${Math.round(l.score / 10)} %`).join(', ')],
    ['What', `${m.kind}, ${m.media}, ${m.width ? `${m.width} × ${m.height}, ` : ''}${bytes(v.size)}`],
    ['Number', `${m.seq} (${m.stream})`],
    ['Firmware', m.firmware],
    ['Household', v.household],
    ['Seal', v.hash],
  ].filter(([, x]) => x);
}
