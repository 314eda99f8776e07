// The only way from bytes to something a person sees. A Verified comes out of
// the opener's worker and from nowhere else; only a Verified can be drawn. There
// is no function in this page that takes an address or plain bytes and shows
// them.

const proof = Symbol('opened by the worker');

// viewLasts is how long a frame of live view may be shown when none follows, in
// milliseconds: on the thinnest link two come in that time.
const viewLasts = 5000;

// what may become an <img>: anything else is verified, but not drawn.
const drawable = new Set(['image/jpeg', 'image/png', 'image/webp']);

export class Verified {
  #media;
  #proof;

  constructor(given, m) {
    if (given !== proof) throw new TypeError('a Verified is made by the opener alone');
    this.#media = m.media;
    this.#proof = m.proof;
    this.camera = m.camera; // what the picture is of: checked, and pinned by the screen
    this.meta = m.meta; // everything the camera said about it
    this.late = m.late; // it closed a gap
    this.fresh = m.fresh; // it echoes a question of this browser
    this.received = m.received;
    this.opened = Date.now();
    this.history = m.history;
    this.hash = m.hash; // SHA-256 of the sealed bytes, hex
    this.household = m.household; // that it was sealed for; of published media only
    this.film = m.film ?? null; // where the frames of a part of a clip lie: see clip.js
    Object.freeze(this);
  }

  get drawable() { return drawable.has(this.meta.media) && this.#media.byteLength > 0; }
  get size() { return this.#media.byteLength; }

  // taken is the best knowledge of when: the camera's word where it has a
  // clock, else when it was received.
  get taken() { return this.meta.clock !== 'none' && this.meta.taken ? this.meta.taken : this.received; }

  // until is when a live picture, or a frame of live view, stops being now.
  get until() { return this.meta.stream === 'view' ? this.opened + viewLasts : this.meta.expires || this.received + 10000; }

  // status returns what the camera says about itself: {state, troubles, care, runs,
  // closed, opened}, with its words cut to what a tile can hold; care is what somebody
  // should look after though all works; runs is {version, trial, celsius}, '' and null for not known; closed is since and until
  // when for privacy, 0 for not known, or null; opened is when it was closed before
  // it was opened, 0 for not known. null when it is no status.
  get status() {
    if (this.meta.kind !== 'status' || this.meta.media !== 'application/json' || this.size > 65536) return null;
    try {
      const { state = '', troubles, privacy, health, firmware, software, machine } = JSON.parse(new TextDecoder().decode(this.#media));
      const few = (all) => (Array.isArray(all) ? all : []).filter((t) => typeof t === 'string').slice(0, 3).map((t) => t.slice(0, 160));
      const warm = Number.isFinite(machine?.celsius) && Math.abs(machine.celsius) < 200 && machine.celsius !== 0;
      const runs = { version: few([firmware])[0]?.slice(0, 40) ?? '', trial: software?.trial === true, celsius: warm ? machine.celsius : null };
      const closed = privacy?.on === true ? { since: Date.parse(privacy.since) || 0, until: Date.parse(privacy.until) || 0, at: this.taken } : null;
      const opened = closed ? 0 : Date.parse(privacy?.since) || 0;
      return { state: String(state), troubles: few(troubles), care: health?.word === 'care' ? few(health.reasons) : [], runs, closed, opened };
    } catch {
      return null;
    }
  }

  // draw shows the picture in img once it is decoded, without flicker, and
  // returns a function that takes it away again. The object's address lives no
  // longer than the picture. If still() is false by then, because something newer
  // has come, nothing is shown and null is returned.
  async draw(img, still = () => true) {
    if (!this.drawable) throw new TypeError(`${this.meta.media} is not drawn`);
    const url = URL.createObjectURL(new Blob([this.#media], { type: this.meta.media }));
    const probe = new Image();
    probe.src = url;
    try {
      await probe.decode();
    } catch {
      URL.revokeObjectURL(url);
      throw new Error('The picture is verified, but this browser cannot decode it.');
    }
    if (!still()) {
      URL.revokeObjectURL(url);
      return null;
    }
    if (img.src.startsWith('blob:')) URL.revokeObjectURL(img.src);
    img.src = url;
    return () => {
      if (img.src === url) img.removeAttribute('src');
      URL.revokeObjectURL(url);
    };
  }

  // thumbnail draws the picture small into canvas, cut to its shape.
  async thumbnail(canvas) {
    if (!this.drawable && !this.film?.stills) return;
    const { width: w, height: h } = canvas;
    const bitmap = await (this.film ? this.#still(0) : createImageBitmap(new Blob([this.#media], { type: this.meta.media })));
    try {
      const scale = Math.max(w / bitmap.width, h / bitmap.height);
      const cw = w / scale, ch = h / scale;
      const c = canvas.getContext('2d');
      c.imageSmoothingQuality = 'high';
      c.drawImage(bitmap, (bitmap.width - cw) / 2, (bitmap.height - ch) / 2, cw, ch, 0, 0, w, h);
    } finally {
      bitmap.close();
    }
  }

  // #still is frame i of a part whose frames are JPEG files.
  #still(i) {
    const { frames } = this.film;
    return createImageBitmap(new Blob([this.#media.subarray(frames[3 * i + 1], frames[3 * i + 1] + frames[3 * i + 2])], { type: 'image/jpeg' }));
  }

  // paint draws frame i of such a part into canvas, and reports whether it did: it
  // does not if still() is false by the time it is decoded.
  async paint(canvas, i, still) {
    const bitmap = await this.#still(i);
    try {
      if (!still()) return false;
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
      canvas.getContext('2d').drawImage(bitmap, 0, 0);
      return true;
    } finally {
      bitmap.close();
    }
  }

  // feed gives a part to the browser's own decoder (a SourceBuffer).
  feed(buffer) { buffer.appendBuffer(this.#media); }

  // saveFilm hands parts of one clip, in their order, to the browser as one film.
  static saveFilm(parts, name) {
    download(parts.map((p, i) => (i ? p.#media.subarray(p.film.head) : p.#media)), 'video/mp4', name);
  }

  // saveFilmProof does so with what somebody without any key needs besides the film
  // to check each part of it, in the form of cmd/internal/clip (proof.go).
  static saveFilmProof(parts, name) {
    const pieces = [new TextEncoder().encode('sealcam clip proof 1\n')];
    for (const p of parts) {
      const head = new DataView(new ArrayBuffer(8));
      head.setUint32(0, p.meta.part);
      head.setUint32(4, p.#proof.byteLength);
      pieces.push(head, p.#proof);
    }
    download(pieces, 'application/octet-stream', name);
  }

  // save hands the picture to the browser as a download; saveProof what somebody
  // without any key needs besides to check it.
  save(name) { download([this.#media], this.meta.media, name); }
  saveProof(name) { download([this.#proof], 'application/octet-stream', name); }
}

function download(pieces, type, name) {
  const url = URL.createObjectURL(new Blob(pieces, { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// proven makes Verifieds of what was proven: of a picture, or of each part of a clip.
function proven({ turn, parts, ...rest }) {
  if (!parts) return { turn, shown: new Verified(proof, rest) };
  return { turn, ...rest, parts: parts.map((p) => new Verified(proof, { ...p, received: rest.received })) };
}

// Opener is the page's end of the worker that holds the key. It tells what
// happened by events: see worker.js for their names and fields.
export class Opener extends EventTarget {
  #worker;

  constructor() {
    super();
    this.#worker = new Worker(workerAddress(), { type: 'module', name: 'opener' });
    this.#worker.addEventListener('message', ({ data }) => this.#heard(data));
    this.#worker.addEventListener('error', (e) => this.#tell('failed', { text: e.message || 'The checker could not be started.' }));
  }

  #heard(data) {
    const { type, ...rest } = data;
    this.#tell(type, type === 'verified' ? new Verified(proof, rest) : type === 'proven' ? proven(rest) : rest);
  }

  #tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  on(type, each) { this.addEventListener(type, (e) => each(e.detail)); }

  // key hands over the household's key, from the address or from nowhere.
  key(fragment) { this.#worker.postMessage({ type: 'key', ...fragment }); }

  // ask asks a camera for a picture that only it can make, and only now.
  ask(camera) { this.#worker.postMessage({ type: 'ask', camera }); }

  // watch starts live view of a camera, or ends it.
  watch(camera, on) { this.#worker.postMessage({ type: 'watch', camera, on }); }

  // prove has published media checked against its proof (both Uint8Array).
  prove(turn, claims, media) { this.#worker.postMessage({ type: 'prove', turn, proof: claims, media }, [claims.buffer, media.buffer]); }

  // bench sets a switch of the bench.
  bench(what, on) { this.#worker.postMessage({ type: 'bench', what, on }); }

  // refresh looks for a newer list of the household's cameras.
  refresh() { this.#worker.postMessage({ type: 'refresh' }); }

  forget() { this.#worker.postMessage({ type: 'forget' }); }
}

// The one string of this page that is allowed to become code.
function workerAddress() {
  const name = 'worker.js';
  if (!globalThis.trustedTypes) return name;
  const policy = trustedTypes.createPolicy('sealcam', {
    createScriptURL(s) {
      if (s !== name) throw new TypeError('not a script of this page');
      return s;
    },
  });
  return policy.createScriptURL(name);
}
