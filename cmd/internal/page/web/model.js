// What happened, made of what was verified and what was refused. Pure: it draws
// nothing and asks for nothing, and everything in it is bounded.

import { startOfDay } from './words.js';

export const maxEvents = 300, maxRefusals = 300, maxLights = 4000;
const maxBytes = 160 << 20; // of pictures kept in memory, verified
const sameNight = 12 * 3600000, lateNight = 2 * 3600000;
const sameRefusal = 60000; // refusals of one reason in a row become one line

export class Model {
  cameras = new Map(); // id: {id, name, state, lights, gaps}
  events = []; // newest first: {key, camera, start, end, pictures, cause, light, labels, expected}
  refusals = []; // newest first: {camera, kind, reason, person, detail, alarm, at, until, count}
  refused = 0;
  verified = 0;
  #byKey = new Map();
  #bytes = 0;

  // camera returns what is known of a camera, and makes a place for a new one.
  camera(id) {
    let c = this.cameras.get(id);
    if (!c) {
      c = { id, name: '', state: null, lights: [], gaps: [] };
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
    if (v.meta.kind !== 'snapshot' && v.meta.kind !== 'clip') return null;
    const key = v.meta.event ? `${v.camera}/${v.meta.boot}/${v.meta.event}` : `${v.camera}/${v.hash}`;
    let e = this.#byKey.get(key);
    if (!e) {
      e = { key, camera: v.camera, start: v.taken, end: v.taken, pictures: [], cause: v.meta.cause, light: v.meta.light, labels: [] };
      this.#byKey.set(key, e);
      this.events.push(e);
    }
    if (e.pictures.some((p) => p.hash === v.hash)) return e;
    e.pictures.push(v);
    e.pictures.sort((a, b) => a.meta.seq - b.meta.seq);
    e.start = Math.min(e.start, v.taken);
    e.end = Math.max(e.end, v.taken);
    for (const l of v.meta.labels ?? []) if (!e.labels.includes(l.name)) e.labels.push(l.name);
    this.#bytes += v.size;
    this.events.sort((a, b) => b.start - a.start);
    while (this.events.length > 1 && (this.events.length > maxEvents || this.#bytes > maxBytes)) this.#drop();
    return e;
  }

  #drop() {
    const e = this.events.pop();
    this.#byKey.delete(e.key);
    for (const p of e.pictures) this.#bytes -= p.size;
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

  // gaps takes the opener's list of what is missing from one camera.
  gaps(camera, gaps) { this.camera(camera).gaps = gaps; }

  // rows lists everything of the past, newest first, for one camera or all ("").
  rows(only = '') {
    const want = (x) => !only || x.camera === only;
    const rows = [
      ...this.events.filter(want).map((e) => ({ type: 'event', at: e.start, key: e.key, event: e, camera: e.camera })),
      ...this.refusals.filter(want).map((r) => ({ type: 'refusal', at: r.until, key: r.key, refusal: r, camera: r.camera })),
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
      } else {
        dayOf(row.at)[row.type === 'event' ? 'events' : 'refusals'].push(row);
      }
    }
    const list = [...days.values()].sort((a, b) => b.start - a.start).slice(0, 7);
    for (const d of list) d.nights = this.#nights(d, Math.min(now, d.end), only);
    return list;
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

function newDay(start) {
  const end = new Date(start);
  end.setDate(end.getDate() + 1); // 23 or 25 hours long, twice a year
  return { start, end: end.getTime(), events: [], refusals: [], gaps: [], nights: [] };
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
