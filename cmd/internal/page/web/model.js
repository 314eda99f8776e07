// What happened, made of what was verified and what was refused. Pure: it draws
// nothing and asks for nothing, and everything in it is bounded.

import { Clip } from './clip.js';
import { startOfDay } from './words.js';

export const maxEvents = 300, maxRefusals = 300, maxLights = 4000;
const maxBytes = 160 << 20; // of pictures kept in memory, verified
const maxClosed = 50, maxBands = 200;
const sameNight = 12 * 3600000, lateNight = 2 * 3600000;
const sameRefusal = 60000; // refusals of one reason in a row become one line

export class Model {
  cameras = new Map(); // id: {id, name, lights, gaps, open, bands, refused}
  events = []; // newest first: {key, camera, start, end, pictures, clip, cause, light, labels}
  closed = []; // gaps that were closed, newest first: {key, camera, at, until, count, after, before}
  held = null; // the event whose clip is on screen: it is kept
  refusals = []; // newest first: {camera, kind, reason, person, detail, alarm, at, until, count}
  refused = 0;
  verified = 0;
  #byKey = new Map();
  #bytes = 0;

  // camera returns what is known of a camera, and makes a place for a new one.
  camera(id) {
    let c = this.cameras.get(id);
    if (!c) {
      c = { id, name: '', lights: [], gaps: [], open: [], bands: [], refused: new Map() };
      this.cameras.set(id, c);
    }
    return c;
  }

  // name is the household's own label; an id is shown only for want of one.
  name(id) { return this.cameras.get(id)?.name || `Camera ${id.slice(0, 4)}`; }

  // household takes the cameras of a roster.
  household(cameras) {
    for (const { id, name } of cameras) this.camera(id).name = name;
    const known = new Set(cameras.map((c) => c.id));
    for (const id of this.cameras.keys()) if (!known.has(id)) this.cameras.delete(id);
  }

  // add takes a verified message that is not live. It returns the event it
  // belongs to, or null when it is no picture of one.
  add(v) {
    this.verified++;
    this.light(v);
    if (v.meta.stream === 'durable') this.camera(v.camera).refused.delete(v.meta.seq); // it came after all
    if (v.meta.kind !== 'snapshot' && v.meta.kind !== 'clip') return null;
    const e = this.#event(v);
    if (v.meta.kind === 'clip') {
      if (!this.#addPart(e, v)) return null;
    } else if (!e.pictures.some((p) => p.hash === v.hash)) {
      e.pictures.push(v);
      e.pictures.sort((a, b) => a.meta.seq - b.meta.seq);
      this.#bytes += v.size;
    }
    for (const l of v.meta.labels ?? []) if (!e.labels.includes(l.name)) e.labels.push(l.name);
    this.#time(e, v);
    this.events.sort((a, b) => b.start - a.start);
    this.#bound();
    return e;
  }

  // keyOf names the event that a message is of.
  #keyOf({ camera, meta, hash }) { return meta.event ? `${camera}/${meta.boot}/${meta.event}` : `${camera}/${hash}`; }

  #event(v) {
    const key = this.#keyOf(v);
    let e = this.#byKey.get(key);
    if (!e) {
      e = { key, camera: v.camera, start: v.taken, end: v.taken, pictures: [], clip: null, cause: v.meta.cause, light: v.meta.light, labels: [] };
      this.#byKey.set(key, e);
      this.events.push(e);
    }
    return e;
  }

  // #addPart adds a part to its event's clip; one that does not fit is refused by name.
  #addPart(e, v) {
    e.clip ??= new Clip(this.camera(v.camera).refused);
    const before = e.clip.parts.has(v.meta.part), why = e.clip.add(v);
    if (why) {
      this.refuse({ camera: v.camera, kind: 'clip', reason: `part ${v.meta.part + 1}`, person: `Part ${v.meta.part + 1} is no part of its clip: ${why}`, detail: `event ${v.meta.event}, number ${v.meta.seq}`, alarm: false, received: v.received });
      if (!e.pictures.length && !e.clip.parts.size) this.#forget(e);
      return false;
    }
    e.clip.takeGaps(this.camera(v.camera).gaps);
    if (!before) this.#bytes += v.size;
    return true;
  }

  // #time says when the event was: its clip begins before it, with the pre-roll.
  #time(e, v) {
    const { clip } = e, shots = e.pictures.map((p) => p.taken);
    const parts = clip?.parts.size ? [clip.start, clip.end] : [];
    e.start = Math.min(...(shots.length ? shots : [parts[0] ?? v.taken]));
    e.end = Math.max(e.start, ...shots, ...parts);
  }

  // again notes that a part of a clip came twice.
  again(v) { this.#byKey.get(this.#keyOf(v))?.clip?.again(v.meta.part); }

  // #bound makes room: parts of old clips go first, then old events.
  #bound() {
    for (let i = this.events.length - 1; i > 0 && this.#bytes > maxBytes; i--) {
      const e = this.events[i];
      if (!e.clip?.parts.size || e.key === this.held) continue;
      this.#bytes -= e.clip.size;
      e.clip.drop();
    }
    while (this.events.length > 1 && (this.events.length > maxEvents || this.#bytes > maxBytes)) {
      const e = this.events.findLast((x) => x.key !== this.held);
      this.#forget(e);
    }
  }

  #forget(e) {
    this.events.splice(this.events.indexOf(e), 1);
    this.#byKey.delete(e.key);
    for (const p of e.pictures) this.#bytes -= p.size;
    this.#bytes -= e.clip?.size ?? 0;
  }

  // light remembers in which light a camera saw, once a minute and at every change.
  light(v) {
    const { lights } = this.camera(v.camera), l = v.meta.light;
    if (l !== 'day' && l !== 'night') return;
    let i = lights.length;
    while (i > 0 && lights[i - 1].at > v.taken) i--;
    const before = lights[i - 1];
    if (before && before.light === l && v.taken - before.seen < 60000) {
      before.seen = Math.max(before.seen, v.taken);
      return;
    }
    lights.splice(i, 0, { at: v.taken, seen: v.taken, light: l });
    if (lights.length > maxLights) lights.shift();
  }

  // refuse takes a refusal. Many of a kind in a row are one line with a count.
  refuse(r) {
    this.refused++;
    if (r.seq && this.cameras.has(r.camera)) bounded(this.camera(r.camera).refused.set(r.seq, r), maxRefusals);
    const at = r.received;
    const last = this.refusals.find((x) => x.camera === r.camera && x.kind === r.kind);
    if (last && last.reason === r.reason && at - last.until < sameRefusal && at >= last.at) {
      last.count++;
      last.until = at;
      last.detail = r.detail;
      last.alarm ||= r.alarm;
      return last;
    }
    const line = { ...r, key: `${r.camera}/${r.kind}/${at}/${this.refused}`, at, until: at, count: 1 };
    this.refusals.push(line);
    this.refusals.sort((a, b) => b.at - a.at);
    this.refusals.length = Math.min(this.refusals.length, maxRefusals);
    return line;
  }

  // status takes when a camera was closed for privacy, from its status message.
  status(v, says) {
    const { bands } = this.camera(v.camera), last = bands.at(-1);
    if (last && v.taken < last.told) return; // of before
    if (says.closed) {
      const from = says.closed.since || (last && !last.to ? last.from : v.taken);
      if (last && last.from === from) Object.assign(last, { to: 0, until: says.closed.until, told: v.taken });
      else bands.push({ from, to: 0, until: says.closed.until, told: v.taken });
    } else if (last && !last.to) {
      Object.assign(last, { to: v.taken, told: v.taken });
    } else if (says.opened && last?.from !== says.opened && says.opened < v.taken) {
      bands.push({ from: says.opened, to: v.taken, told: v.taken });
    }
    if (bands.length > maxBands) bands.shift();
  }

  // gaps takes the opener's list of what is missing from one camera. A gap that it
  // has no more is told as closed, unless quiet: then it is of before.
  gaps(camera, gaps, now = 0, quiet = true) {
    const c = this.camera(camera), meet = (a, b) => a.first <= b.last && b.first <= a.last;
    const missing = gaps.filter((g) => !g.lost);
    for (const was of c.open) {
      if (missing.some((g) => meet(g, was)) || quiet) continue;
      const lost = gaps.reduce((n, g) => (meet(g, was) ? n + Math.min(g.last, was.last) - Math.max(g.first, was.first) + 1 : n), 0);
      const count = was.last - was.first + 1 - lost;
      if (count > 0) this.#close(camera, count, was, now);
    }
    c.open = [...c.open.filter((was) => missing.some((g) => meet(g, was))), ...missing.filter((g) => !c.open.some((was) => meet(g, was)))];
    c.gaps = gaps;
    for (const e of this.events) if (e.camera === camera) e.clip?.takeGaps(gaps);
  }

  #close(camera, count, { first, after, before }, now) {
    const last = this.closed.find((x) => x.camera === camera);
    if (last && now - last.until < sameRefusal) {
      last.count += count;
      last.until = now;
      last.after = Math.min(last.after, after);
      last.before = Math.max(last.before, before);
      return;
    }
    this.closed.unshift({ key: `${camera}/closed/${first}/${now}`, camera, at: now, until: now, count, after, before });
    this.closed.length = Math.min(this.closed.length, maxClosed);
  }

  // rows lists everything of the past, newest first, for one camera or all ("").
  rows(only = '') {
    const want = (x) => !only || x.camera === only;
    const rows = [
      ...this.events.filter(want).map((e) => ({ type: 'event', at: e.start, key: e.key, event: e, camera: e.camera })),
      ...this.refusals.filter(want).map((r) => ({ type: 'refusal', at: r.until, key: r.key, refusal: r, camera: r.camera })),
      ...this.closed.filter(want).map((x) => ({ type: 'closed', at: x.until, key: x.key, closed: x, camera: x.camera })),
    ];
    for (const c of this.cameras.values()) {
      if (only && c.id !== only) continue;
      for (const g of c.gaps) rows.push({ type: 'gap', at: g.before || g.after, key: `${c.id}/gap/${g.first}`, gap: g, camera: c.id });
    }
    return rows.sort((a, b) => b.at - a.at);
  }

  // days sums the past up, one rail a day, newest first. Today is always there.
  days(now, only = '') {
    const days = new Map([[startOfDay(now), newDay(startOfDay(now))]]);
    const dayOf = (t) => {
      const start = startOfDay(t);
      if (!days.has(start)) days.set(start, newDay(start));
      return days.get(start);
    };
    for (const row of this.rows(only)) {
      if (!row.at || row.at > now + 86400000) continue;
      if (row.type === 'gap') {
        const { after, before, first, last, lost } = row.gap;
        const to = before || now, from = after || to;
        dayOf(to).gaps.push({ from: Math.max(from, startOfDay(to)), to, count: last - first + 1, lost, key: row.key });
      } else if (row.type !== 'closed') {
        dayOf(row.at)[row.type === 'event' ? 'events' : 'refusals'].push(row);
      }
    }
    const list = [...days.values()].sort((a, b) => b.start - a.start).slice(0, 7);
    for (const d of list) {
      d.nights = this.#nights(d, Math.min(now, d.end), only);
      d.bands = this.#bands(d, now, only);
    }
    return list;
  }

  // bands lists when a camera was closed for privacy on a day: up to now where it
  // still is, or up to when it was to open by itself.
  #bands(day, now, only) {
    const out = [];
    for (const c of this.cameras.values()) {
      if (only && c.id !== only) continue;
      for (const b of c.bands) {
        const from = Math.max(b.from, day.start), to = Math.min(b.to || Math.min(now, b.until || now), day.end);
        if (to > from) out.push({ from, to });
      }
    }
    return merge(out);
  }

  // nights lists when it was night on a day: between two pictures of the night
  // that are not too far apart to have had a day between them, and after the
  // last of them for as long as the next may have been late.
  #nights(day, until, only) {
    const out = [];
    for (const c of this.cameras.values()) {
      if (only && c.id !== only) continue;
      c.lights.forEach((l, i) => {
        if (l.light !== 'night') return;
        const after = c.lights[i + 1], next = after?.at ?? until;
        const patience = after?.light === 'night' ? sameNight : lateNight;
        const from = Math.max(l.at, day.start);
        const to = Math.min(next - l.seen > patience ? l.seen : next, until);
        if (to > from) out.push({ from, to });
      });
    }
    return merge(out);
  }
}

// bounded lets the oldest go of what a map has too much.
function bounded(map, most) {
  for (const k of map.keys()) if (map.size > most) map.delete(k);
}

function newDay(start) {
  const end = new Date(start);
  end.setDate(end.getDate() + 1); // 23 or 25 hours long, twice a year
  return { start, end: end.getTime(), events: [], refusals: [], gaps: [], nights: [], bands: [] };
}

// merge joins spans of time that touch.
export function merge(spans) {
  const out = [];
  for (const s of spans.sort((a, b) => a.from - b.from)) {
    const last = out[out.length - 1];
    if (last && s.from <= last.to) last.to = Math.max(last.to, s.to);
    else out.push({ ...s });
  }
  return out;
}
