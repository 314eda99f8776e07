// The page: it listens to the opener, keeps the model, and lets tiles, rails
// and lists draw it. Nothing here sees a key or a sealed byte, but for the
// moment in which the key moves from the address into the worker.

import { Bench } from './bench.js';
import { Big } from './big.js';
import { byId, setIcon, setText } from './dom.js';
import { EventList } from './events.js';
import { Filter } from './filter.js';
import { keyboard } from './keys.js';
import { Model } from './model.js';
import { headline } from './now.js';
import { Rails } from './rail.js';
import { PairView } from './pair.js';
import { ProofView } from './proof.js';
import { Tile } from './tile.js';
import { Opener } from './verified.js';
import { clock } from './words.js';

class App {
  model = new Model();
  tiles = new Map();
  opener = new Opener();
  ready = false; // the opener can open
  keyed = true; // this browser has the household's key
  failure = '';
  server = { up: false, why: '', since: 0 };
  broker = { up: true, why: '', since: 0 };
  caughtUp = false; // what had come before is opened
  #drawn = false;

  constructor() {
    const name = (id) => this.model.name(id);
    this.rails = new Rails(byId('days'), { pick: (key) => this.list.select(key) });
    this.list = new EventList(byId('events'), { open: (e) => this.big.show(e), name });
    this.list.onmore = () => this.draw();
    this.big = new Big({ name, neighbour: (e, n) => this.neighbour(e, n), hold: (key) => { this.model.held = key; } });
    this.bench = new Bench({ set: (what, on) => this.opener.bench(what, on) });
    this.filter = new Filter(byId('filter'), () => this.draw());
    this.proof = new ProofView({ check: (...what) => this.opener.prove(...what), name: (id) => (this.model.cameras.has(id) ? name(id) : '') });
    this.pair = new PairView({ paired: () => this.opener.refresh() });
    this.listen();
    this.takeKey();
    keyboard(this);
    byId('proof-button').addEventListener('click', () => this.proof.open());
    byId('help-button').addEventListener('click', () => byId('help').showModal());
    byId('forget').addEventListener('click', () => this.opener.forget());
    setInterval(() => this.tick(), 1000);
    // Nobody looks at a page that is hidden: its cameras need not send.
    document.addEventListener('visibilitychange', () => { for (const t of this.tiles.values()) t.look(!document.hidden); });
    this.tick();
  }

  // takeKey moves the key from the address into the worker, which keeps it. The
  // address is cleaned once it is kept, so that a reload in between loses nothing.
  takeKey() {
    const p = new URLSearchParams(location.hash.slice(1));
    this.pair.owner(p.get('p') ?? '');
    this.opener.key({ household: p.get('h') ?? '', secret: p.get('k') ?? '', name: p.get('n') ?? '' });
  }

  listen() {
    const o = this.opener;
    o.on('kept', () => history.replaceState(null, '', location.pathname));
    o.on('ready', () => { this.ready = true; this.tick(); });
    o.on('caughtup', () => { this.caughtUp = true; this.soon(); });
    o.on('failed', ({ text }) => { this.failure = text; this.tick(); });
    o.on('nokey', () => { this.keyed = false; this.tick(); });
    o.on('forgotten', () => location.reload());
    o.on('household', (h) => this.household(h));
    o.on('verified', (v) => this.verified(v));
    o.on('refused', (r) => this.refused(r));
    o.on('gaps', ({ camera, gaps }) => { this.model.gaps(camera, gaps, Date.now(), !this.caughtUp); this.soon(); });
    o.on('again', (v) => { this.model.again(v); this.soon(); });
    o.on('asked', ({ camera, ok, text }) => this.tiles.get(camera)?.asked(ok, text));
    o.on('watching', ({ camera, ok, text }) => this.tiles.get(camera)?.asked(ok, text));
    o.on('proven', (p) => this.proof.proven(p));
    o.on('unproven', (r) => this.proof.unproven(r));
    o.on('server', (s) => this.link('server', s));
    o.on('link', (s) => { this.link('broker', s); if (s.bench) this.offerBench(); this.pair.offer(s.pair); });
    o.on('bench', (s) => this.bench.stats(s, this.model.refused));
  }

  household({ id, name, cameras, version }) {
    this.keyed = true;
    cameras.sort((a, b) => a.name.localeCompare(b.name));
    this.model.household(cameras);
    for (const [camera, tile] of this.tiles) {
      if (cameras.some((c) => c.id === camera)) continue;
      tile.watch(false);
      tile.root.remove();
      this.tiles.delete(camera);
    }
    for (const c of cameras) {
      const t = this.tile(c.id);
      t.rename(this.model.name(c.id));
      byId('tiles').append(t.root);
    }
    this.filter.show(cameras.map((c) => ({ id: c.id, name: this.model.name(c.id) })));
    byId('tiles').dataset.count = String(cameras.length);
    setText(byId('about'), `Household ${name || id.slice(0, 8)}, ${cameras.length === 1 ? 'one camera' : `${cameras.length} cameras`}, list version ${version}.`);
    byId('forget').hidden = false;
    this.soon();
  }

  tile(camera) {
    let t = this.tiles.get(camera);
    if (!t) {
      t = new Tile(camera, { ask: (id) => this.opener.ask(id), watch: (id, on) => this.opener.watch(id, on), change: (tile, before) => this.changed(tile, before) });
      this.tiles.set(camera, t);
      byId('tiles').append(t.root);
      t.offline(this.unreached());
    }
    return t;
  }

  verified(v) {
    if (v.meta.stream === 'view') return void ((v.drawable || v.film) && this.tile(v.camera).verified(v).then(() => this.bench.saw(Date.now() - v.taken)));
    if (v.meta.stream === 'live' && v.drawable) {
      this.model.verified++;
      this.model.light(v);
      const sample = v.history ? 0 : Date.now() - v.taken;
      this.tile(v.camera).verified(v).then(() => { this.bench.saw(sample && Date.now() - v.taken); this.tick(); });
    } else if (v.meta.kind === 'status') {
      this.model.verified++;
      this.model.light(v);
      if (v.status) this.model.status(v, v.status);
      if (v.status && !v.late) this.tile(v.camera).status(v.status);
    } else {
      this.model.add(v);
    }
    this.soon();
  }

  refused(r) {
    const ours = this.model.cameras.has(r.camera);
    if (!ours && r.reason !== 'revoked') return; // nothing on this screen is about it
    this.model.refuse(r);
    if ((r.kind === 'live' || r.kind === 'view') && ours) this.tile(r.camera).refused(r);
    else this.say(`${this.model.name(r.camera)}: ${r.person}. It was not shown.`, `${r.camera}${r.reason}`);
    this.soon();
    this.tick();
  }

  link(which, { up, why }) {
    const l = this[which];
    if (l.up !== up) l.since = Date.now();
    l.up = up;
    l.why = why;
    for (const t of this.tiles.values()) t.offline(this.unreached());
    this.tick();
  }

  // unreached says why nothing can arrive, or ''.
  unreached() {
    if (!this.server.up) return 'This page has lost its server.';
    return this.broker.up ? '' : 'The way to your cameras is cut.';
  }

  offerBench() {
    if (this.benchOffered) return;
    this.benchOffered = true;
    this.bench.offer();
    for (const e of document.querySelectorAll('.bench-only')) e.hidden = false;
  }

  // changed is called by a tile whose state changed: it is said aloud.
  changed(tile, before) {
    const said = {
      live: () => `${tile.label}: yours${tile.shown?.fresh ? ', proven live' : ''}.`,
      stale: () => `${tile.label}: no fresh picture since ${clock(tile.last.taken)}.`,
      closed: () => `${tile.label}: closed for privacy.`,
      refused: () => `${tile.label}: refused. ${tile.refusal.person}. It was not shown.`,
    }[tile.state];
    if (said && tile.state !== before) this.say(said(), tile.camera + tile.state);
    if (tile.says?.troubles.length) this.say(`${tile.label}. ${tile.trouble.textContent}`, tile.trouble.textContent);
    if (this.keyed) this.now();
  }

  // say tells screen readers, and nothing twice within 15 s.
  say(text, key) {
    this.said ??= new Map();
    const now = Date.now();
    if (now - (this.said.get(key) ?? 0) < 15000) return;
    this.said.set(key, now);
    const line = document.createElement('p');
    line.textContent = text;
    byId('say').append(line);
    while (byId('say').childElementCount > 4) byId('say').firstElementChild.remove();
  }

  tick() {
    const now = Date.now();
    for (const t of this.tiles.values()) t.tick(now);
    this.now();
    if (now - (this.drawnAt ?? 0) > 30000) this.soon();
  }

  now() {
    const h = headline(this);
    byId('now').dataset.mood = h.mood;
    setIcon(byId('now').firstElementChild, h.icon);
    setText(byId('now-title'), h.title);
    setText(byId('now-text'), h.text);
    // Without a key, or before the opener is there, nothing is known of the past.
    document.body.classList.toggle('blind', !this.ready || !this.keyed || this.failure !== '');
    document.title = `${h.title} · sealcam`;
    const link = byId('link');
    link.hidden = !h.banner;
    setText(link, h.banner ?? '');
    const placeholder = byId('placeholder');
    placeholder.hidden = this.tiles.size > 0;
    setIcon(placeholder.firstElementChild, h.icon);
    setText(placeholder.lastElementChild, h.empty ?? '');
  }

  // soon draws the past with the next frame of the screen, once for many changes.
  soon() {
    if (this.#drawn) return;
    this.#drawn = true;
    setTimeout(() => requestAnimationFrame(() => { this.#drawn = false; this.draw(); }), 60);
  }

  draw() {
    const now = Date.now(), only = this.filter.camera;
    this.drawnAt = now;
    this.big.refresh();
    this.rails.show(this.model.days(now, only), now);
    this.list.show(this.model.rows(only), now, this.tiles.size > 1 && !only, this.caughtUp);
  }

  // neighbour returns the event before or after e as the list shows them, or null.
  neighbour(e, n) {
    const events = this.model.rows(this.filter.camera).filter((r) => r.type === 'event').map((r) => r.event);
    return events[events.indexOf(e) - n] ?? null;
  }
}

new App();
