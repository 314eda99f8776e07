// The worker that holds the key. It reads the feed, opens every sealed message
// with the Go opener, and tells the page verdicts:
//
//   ready | caughtup | failed {text} | nokey | kept | forgotten
//   household {id, name, version, cameras, viewers}
//   verified {camera, meta, media, proof, film, fresh, late, hash, received, history}
//   refused {camera, kind, reason, person, detail, alarm, seq, received, history}
//   again {camera, meta}: it was delivered twice, which is no harm
//   proven {camera, household, meta, media, hash}, or of a clip {words, whole,
//     sound, faults, parts} | unproven {reason, person, detail}
//   gaps {camera, gaps} | asked {camera, ok, text} | watching {camera, ok, text}
//   server {up, why} | link {up, why, bench} | bench (BenchStats)
//
// Media leaves it inside a verified or proven verdict or not at all.

import * as feed from './feed.js';
import { Queue } from './queue.js';
import { Store } from './store.js';

const tell = (type, detail = {}, transfer = []) => postMessage({ ...detail, type }, transfer);

class Worker {
  queue = new Queue((r) => this.open(r), () => this.caughtUp());
  cameras = new Map(); // id: 'yours' or 'revoked'
  entry = null; // of the store
  told = new Map(); // camera: its gaps as the page knows them
  owes = new Map(); // camera: when its receipt is due
  holes = new Map(); // camera/first/last: {tries, next}
  watching = new Map(); // camera: {next, proven} of its live view
  dirty = false;
  writer = false; // this page, of all that are open, keeps the state

  // key starts everything: with a key from the address, or with a kept one.
  async key({ household, secret, name }) {
    this.store = await Store.open();
    if (household && secret) {
      const old = await this.store.get(household);
      await this.store.put({ ...old, id: household, secret, name: name || old?.name || '', used: Date.now() });
      tell('kept');
    }
    this.entry = household ? await this.store.get(household) : await this.store.latest();
    feed.follow('feed', (r) => this.record(r), (up, why) => { tell('server', { up, why }); if (up) this.rosterNow(); });
    if (!this.entry) return tell('nokey');
    await this.load();
    await this.init(await this.fetchRoster());
    navigator.locks?.request(`sealcam ${this.entry.id}`, () => { this.writer = true; return new Promise(() => {}); });
    setInterval(() => this.beat(), 1000);
  }

  // load gets the Go opener, once. It is not on the way of the first paint.
  load() {
    this.loading ??= this.fetchOpener().catch((err) => { this.loading = null; throw err; });
    return this.loading;
  }

  async fetchOpener() {
    const answer = await fetch('seal.wasm');
    if (!answer.ok) throw new Error(await answer.text());
    await import('./wasm_exec.js');
    const go = new Go();
    const { instance } = await WebAssembly.instantiateStreaming(answer, go.importObject);
    go.run(instance).then(() => tell('failed', { text: 'The checker has ended. Open the page again.' }));
  }

  async fetchRoster() {
    const answer = await fetch('roster', { cache: 'no-store' }).catch(() => null);
    return answer?.ok ? new Uint8Array(await answer.arrayBuffer()) : null;
  }

  // init starts the opener under the newest roster there is: the server's, or,
  // where that is older than one seen before, the one that was kept.
  async init(roster) {
    if (sealcamReady()) return;
    let failure = null;
    for (const r of [roster, this.entry.roster]) {
      if (!r) continue;
      const out = sealcam.init({ household: this.entry.id, secret: this.entry.secret, roster: r, state: this.entry.state ?? null, now: () => Date.now() });
      failure = out.error ?? out.person;
      if (out.verdict !== 'refused' && !out.error) {
        this.opening = true;
        this.entry.roster = r;
        this.household();
        tell('ready');
        this.queue.start();
        setTimeout(() => this.queue.waiting || this.caughtUp(), 1500); // nothing had come
        return;
      }
      if (out.verdict === 'refused') failure = `The household's list was refused: ${out.detail}`;
    }
    if (failure) throw new Error(failure);
  }

  // caughtUp is called when everything that had come is opened.
  caughtUp() {
    if (!this.told.has('caughtup')) tell('caughtup');
    this.told.set('caughtup', true);
  }

  household() {
    const h = sealcam.household();
    this.cameras = new Map([...h.cameras.map((c) => [c.id, 'yours']), ...h.revoked.map((id) => [id, 'revoked'])]);
    this.dirty = true;
    tell('household', { ...h, name: this.entry.name });
    for (const { id } of h.cameras) this.gaps(id);
  }

  // roster takes a roster that may be newer.
  async roster(bytes) {
    if (!this.opening) return this.entry && globalThis.sealcam && this.init(bytes);
    const out = sealcam.roster(bytes);
    if (out.verdict === 'refused' || out.error) return;
    if (sealcam.household().version === this.version) return;
    this.version = sealcam.household().version;
    this.entry.roster = bytes;
    this.household();
  }

  async rosterNow() {
    if (!this.opening) return;
    const bytes = await this.fetchRoster();
    if (bytes) this.roster(bytes);
  }

  record(r) {
    switch (r.kind) {
      case feed.LINK: return tell('link', parse(r.payload));
      case feed.BENCH: return tell('bench', parse(r.payload));
      case feed.ROSTER: return void this.roster(r.payload);
      case feed.VIEW: return void (this.watching.has(r.camera) && this.queue.add(r, true));
      case feed.LIVE: case feed.STATUS: case feed.MEDIA: return this.queue.add(r, r.kind === feed.LIVE);
    }
  }

  // open opens one record for the screen that is about r.camera, which is the
  // topic it came by: that is the question, and the seal has to answer it.
  open(r) {
    if (!this.cameras.has(r.camera)) return; // another household's, on a shared broker
    const kind = { [feed.LIVE]: 'live', [feed.STATUS]: 'status', [feed.MEDIA]: 'media', [feed.VIEW]: 'view' }[r.kind];
    let out = sealcam.open(r.camera, r.payload);
    const seen = out.reason === 'replayed' && (out.duplicate || (r.history && kind !== 'live'));
    if (seen && !r.history && kind !== 'media') return; // the network delivered twice: nothing is wrong
    if (seen) out = sealcam.check(r.camera, r.payload); // drawn again after a reload, under its own time
    const watch = kind === 'view' ? this.watching.get(r.camera) : null;
    if (kind === 'view' && !watch) return; // it was stopped meanwhile
    if (watch && out.reason === 'stale' && !watch.proven) return; // another's, before the first that answers us
    if (watch && out.fresh) watch.proven = true;
    const about = { camera: r.camera, kind, received: r.received, history: r.history };
    this.dirty = true;
    if (out.verdict !== 'verified') {
      const { reason = 'malformed', person = 'This picture could not be checked', detail = out.error ?? '', alarm = false, seq = 0 } = out;
      return tell('refused', { ...about, reason, person, detail, alarm, seq });
    }
    if (seen && !r.history) return tell('again', { ...about, camera: out.camera, meta: out.meta });
    if (out.ahead) this.rosterNow();
    if (out.behind && !seen) this.passOn(out.camera);
    if (out.meta.stream === 'durable' && !seen) this.arrived(out.camera);
    const { camera, meta, media, proof, film, fresh, late, hash } = out;
    tell('verified', { ...about, camera, meta, media, proof, film, fresh, late, hash }, [media.buffer]);
  }

  // arrived notes that a receipt is owed, soon but not for every message alone.
  arrived(camera) {
    if (!this.owes.has(camera)) this.owes.set(camera, Date.now() + 1500);
    this.gaps(camera);
  }

  gaps(camera) {
    const gaps = sealcam.gaps(camera), sign = JSON.stringify(gaps);
    if (this.told.get(camera) === sign) return;
    this.told.set(camera, sign);
    tell('gaps', { camera, gaps });
  }

  // passOn gives the roster to a camera that seals under an older one: somebody
  // may be keeping it back. Not at once, for it may be on its way.
  passOn(camera) {
    this.behind ??= new Map();
    const now = Date.now(), next = this.behind.get(camera);
    if (!next || next > now || !this.writer) return void (next ?? this.behind.set(camera, now + 10000));
    this.behind.set(camera, now + 300000);
    up(camera, this.entry.roster, 'roster');
  }

  // beat pays what is owed: receipts, requests for what is missing, the state.
  async beat() {
    if (!this.opening) return;
    const now = Date.now();
    this.renew(now);
    for (const [camera, due] of this.owes) {
      if (due > now || !this.writer) continue;
      this.owes.delete(camera);
      const { command } = sealcam.receipt(camera);
      if (command && !(await up(camera, command)).ok) this.owes.set(camera, now + 10000);
    }
    if (this.writer) await this.askForHoles(now);
    if (this.dirty && this.writer) {
      this.dirty = false;
      this.entry.state = sealcam.state();
      await this.store.put(this.entry).catch(() => {});
    }
  }

  // askForHoles asks for what is missing: after 2 s, in which it may come by itself,
  // the keeper if there is one, and then, with growing patience, the camera.
  async askForHoles(now) {
    const open = new Set();
    for (const [camera, whose] of this.cameras) {
      if (whose !== 'yours') continue;
      for (const g of sealcam.gaps(camera)) {
        if (g.lost) continue;
        const key = `${camera}/${g.first}/${g.last}`;
        open.add(key);
        const hole = this.holes.get(key) ?? { tries: 0, next: now + 2000 };
        this.holes.set(key, hole);
        if (hole.next > now) continue;
        hole.tries++;
        if (hole.tries === 1 && await fill(camera, g)) {
          hole.next = now + 5000;
          continue;
        }
        hole.next = now + 15000 * 4 ** Math.min(hole.tries, 4);
        const { command } = sealcam.resend(camera, g.first, g.last);
        if (command) await up(camera, command);
      }
    }
    for (const key of this.holes.keys()) if (!open.has(key)) this.holes.delete(key);
  }

  async ask({ camera }) {
    const { command, error } = this.opening ? sealcam.ask(camera) : { error: 'The checker is not ready yet.' };
    if (!command) return tell('asked', { camera, ok: false, text: error });
    tell('asked', { camera, ...(await up(camera, command)) });
  }

  // watch starts live view of a camera, or ends it: it is asked for again and
  // again while it is on, and the camera stops by itself.
  async watch({ camera, on }) {
    if (!on) return void this.watching.delete(camera);
    if (!this.watching.has(camera)) this.watching.set(camera, { next: 0, proven: false });
    await this.renew(Date.now());
  }

  async renew(now) {
    for (const [camera, w] of this.watching) {
      if (w.next > now || !this.opening) continue;
      w.next = now + 5000;
      const { command, error } = sealcam.watch(camera);
      const answer = command ? await up(camera, command) : { ok: false, text: error };
      if (!answer.ok) w.next = now + 1000;
      tell('watching', { camera, ...answer });
    }
  }

  async bench({ what, on }) {
    await fetch(`bench/${what}?on=${on ? 1 : 0}`, { method: 'POST' }).catch(() => null);
  }

  // prove checks published media against its proof, which takes no key.
  async prove({ turn, proof, media }) {
    const out = await this.load().then(() => sealcam.prove(proof, media), (err) => ({ error: String(err?.message ?? err) }));
    if (out.verdict === 'proven') return tell('proven', { turn, ...out, received: Date.now() }, (out.parts ?? [out]).map((p) => p.media.buffer));
    const { reason = 'malformed', person = 'This could not be checked', detail = out.error ?? '' } = out;
    tell('unproven', { turn, reason, person, detail });
  }

  refresh() { return this.rosterNow(); }

  async forget() {
    this.writer = false;
    if (this.entry) await this.store.remove(this.entry.id);
    tell('forgotten');
  }
}

const sealcamReady = () => worker.opening === true;
const parse = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

// up hands something signed to the server, which publishes it. One goes after the
// other, in the order in which they were signed: a camera obeys no command that was
// signed before one that it has.
let before = Promise.resolve();
function up(camera, signed, kind = 'cmd') {
  before = before.then(() => post(camera, signed, kind));
  return before;
}

async function post(camera, signed, kind) {
  try {
    const answer = await fetch(`up?kind=${kind}&camera=${camera}`, { method: 'POST', body: signed, signal: AbortSignal.timeout(15000) });
    return { ok: answer.ok, text: answer.ok ? '' : (await answer.text()).slice(0, 200) };
  } catch {
    return { ok: false, text: 'The server is not reached.' };
  }
}

// fill has the server bring what is missing from a keeper, of a long gap the newest; it
// is false where none is asked.
async function fill(camera, { first, last }) {
  try {
    const answer = await fetch(`fill?camera=${camera}&first=${first}&last=${last}`, { method: 'POST', signal: AbortSignal.timeout(15000) });
    return (await answer.json()).asked;
  } catch {
    return false;
  }
}

const worker = new Worker();
addEventListener('message', ({ data: { type, ...rest } }) => {
  if (!['key', 'ask', 'watch', 'bench', 'prove', 'refresh', 'forget'].includes(type)) return;
  Promise.resolve(worker[type](rest)).catch((err) => tell('failed', { text: String(err?.message ?? err) }));
});
