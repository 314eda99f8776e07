// The proof view: media that somebody published, and the proof beside it, as
// sealcam export writes them. They are checked here like everything else, and
// it takes no key: this view works in any browser.

import { Clip } from './clip.js';
import { byId, el, icon } from './dom.js';
import { Player } from './player.js';
import { bytes, cause, count, light } from './words.js';

const maxProof = 8 << 20, maxMedia = 256 << 20; // of the longest clip that a page takes

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
    this.player = new Player();
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
    if (files.length > 2) return this.#say('One picture or clip at a time', 'Drop it with its proof: two files.');
    if (!proof) return this.#say(`${media.name} is here`, 'Now its proof: the file that ends in .proof.');
    if (!media) return this.#say(`${proof.name} is here`, 'Now the picture or clip that it is the proof of.');
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
  async proven({ turn, shown: v, ...film }) {
    if (turn !== this.#turn || !this.dialog.open) return;
    this.#files = { proof: null, media: null };
    if (film.parts) return this.#film(film);
    const ours = this.name(v.camera);
    const img = el('img', { alt: `Proven picture, taken: ${when(v)}` });
    const stage = el('div', { class: 'stage' }, img);
    this.#show('proven', icon('yours', 'ok'), 'Proven: exactly as the camera sealed it',
      ours ? `It is your household’s camera ${ours}. The time is the camera’s own word.`
        : 'Whose camera that is, a proof does not show: compare its id with one that you know. The time is the camera’s own word.',
      el('dl', {}, ...factsOf(v).flatMap(([k, x]) => [el('dt', {}, k), el('dd', {}, x)])));
    if (!v.drawable) return;
    this.state.prepend(stage);
    try {
      this.#drop = await v.draw(img, () => turn === this.#turn && this.dialog.open);
    } catch {
      stage.remove(); // proven all the same
    }
  }

  // #film shows what was proven of a clip, which plays, and what was not, by name.
  #film({ parts, faults, sound, whole, words }) {
    const clip = new Clip(), more = [...faults];
    clip.asked = false;
    for (const p of parts) {
      const why = clip.add(p);
      if (why) more.push(`part ${p.meta.part + 1}: ${why}`);
    }
    const ours = parts.length ? this.name(parts[0].camera) : '', first = clip.parts.get(clip.numbers[0]);
    const facts = first ? [...factsOf(first, clip.size), ['Clip', words]] : [];
    if (sound && !more.length) {
      this.#show('proven', icon('yours', 'ok'), whole ? `Proven: all ${count(clip.parts.size, 'part')} are exactly as the camera sealed them` : `Proven, and not whole: ${count(clip.parts.size, 'part')} as the camera sealed them`,
        `${whole ? '' : 'What is missing is shown as a hole. '}${ours ? `It is your household’s camera ${ours}. The time is the camera’s own word.` : 'Whose camera that is, a proof does not show: compare its id with one that you know. The time is the camera’s own word.'}`);
    } else {
      this.#show('refused', icon('refused'), 'This is not the clip that was sealed', `${count(clip.parts.size, 'part')} of it ${clip.parts.size === 1 ? 'is' : 'are'} proven, and nothing else of it is shown.`,
        el('ul', { class: 'faults' }, ...more.slice(0, 8).map((f) => el('li', {}, f)), ...(more.length > 8 ? [el('li', {}, `and ${more.length - 8} more`)] : [])));
    }
    if (!first) return;
    this.state.append(this.player.root, el('dl', {}, ...facts.flatMap(([k, x]) => [el('dt', {}, k), el('dd', {}, x)])));
    this.player.open(clip);
    this.player.toggle.focus(); // else the keys of the film are the file chooser's
    this.#drop = () => { this.player.close(); this.player.root.remove(); };
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
    this.#show('asking', icon('proof'), 'Is this picture what a camera sealed?', 'Drop a picture, or a clip, here with its proof: the two files that sealcam export and this page write. They do not leave this browser.');
  }
}

const carriesFiles = (e) => e.dataTransfer?.types.includes('Files');

const when = (v) => (v.meta.clock === 'none' || !v.meta.taken ? 'unknown, the camera had no clock' : `${new Date(v.meta.taken).toISOString().replace('T', ' ').replace('Z', ' UTC')}, clock from ${v.meta.clock}`);

// facts lists what the proof shows, in the order in which people ask.
function factsOf(v, size = v.size) {
  const m = v.meta;
  return [
    ['Camera', v.camera],
    ['Taken', when(v)],
    ['Cause', m.cause && cause(m.cause).toLowerCase()],
    ['Light', light(m.light)],
    ['Recognised', (m.labels ?? []).map((l) => `${l.name} ${Math.round(l.score / 10)} %`).join(', ')],
    ['What', `${m.kind}, ${m.media}, ${m.width ? `${m.width} × ${m.height}, ` : ''}${bytes(size)}`],
    ['Number', `${m.seq} (${m.stream})`],
    ['Firmware', m.firmware],
    ['Household', v.household],
    ['Seal', v.hash],
  ].filter(([, x]) => x);
}
