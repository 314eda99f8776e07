// The rails: one a day, newest first. Motion is height, night is shade, privacy is
// a band, what is missing is hatched with its count, a refusal is a mark.

import { el } from './dom.js';
import { clock, count, day, length, minute } from './words.js';

const bins = 96; // a quarter of an hour each

export class Rails {
  constructor(root, { pick }) {
    this.root = root;
    this.pick = pick;
    this.rows = new Map(); // start of day: {root, rail, key}
  }

  // show draws the days (Model.days). A day that did not change is left alone.
  show(days, now) {
    const keep = new Set(days.map((d) => d.start));
    for (const [start, row] of this.rows) {
      if (keep.has(start)) continue;
      row.root.remove();
      this.rows.delete(start);
    }
    days.forEach((d, i) => {
      let row = this.rows.get(d.start);
      if (!row) {
        row = this.#row(d, now);
        this.rows.set(d.start, row);
      }
      if (this.root.children[i] !== row.root) this.root.insertBefore(row.root, this.root.children[i] ?? null);
      this.#fill(row, d, now);
    });
  }

  #row(d, now) {
    const rail = el('div', { class: 'rail', role: 'img' });
    const hours = el('div', { class: 'hours', 'aria-hidden': 'true' }, ...[0, 6, 12, 18, 24].map((h) => el('span', {}, `${h}`.padStart(2, '0'))));
    const sum = el('p', { class: 'sum' });
    const title = el('h3', {}, day(d.start, now));
    const root = el('div', { class: 'day' }, el('div', { class: 'what' }, title, sum), rail, hours);
    const row = { root, rail, sum, title, key: '', day: d };
    rail.addEventListener('click', (e) => this.#clicked(row, e));
    return row;
  }

  #clicked(row, e) {
    const box = row.rail.getBoundingClientRect();
    const at = row.day.start + ((e.clientX - box.left) / box.width) * (row.day.end - row.day.start);
    const all = [...row.day.events, ...row.day.refusals, ...row.day.gaps.map((g) => ({ at: g.to, key: g.key }))];
    const near = all.reduce((best, x) => (!best || Math.abs(x.at - at) < Math.abs(best.at - at) ? x : best), null);
    if (near) this.pick(near.key);
  }

  #fill(row, d, now) {
    row.day = d;
    const today = now < d.end;
    const heights = motion(d);
    const key = JSON.stringify([heights, d.nights, d.bands, d.gaps, d.refusals.map((r) => r.at), today ? Math.floor(now / 60000) : 0]);
    if (key === row.key) return;
    row.key = key;
    row.title.textContent = day(d.start, now);
    row.sum.textContent = summary(d);
    row.rail.setAttribute('aria-label', `${day(d.start, now)}: ${summary(d)}${spanWords('night', d.nights)}${spanWords('closed for privacy', d.bands)}`);
    const span = d.end - d.start;
    const percent = (t) => `${(100 * Math.min(1, Math.max(0, (t - d.start) / span))).toFixed(3)}%`;
    const width = (from, to) => `${(100 * (to - from) / span).toFixed(3)}%`;
    const parts = d.nights.map((n) => place(el('i', { class: 'night' }), percent(n.from), width(n.from, n.to)));
    for (const b of d.bands) parts.push(place(el('i', { class: 'closed', title: `closed for privacy, ${minute(b.from)} to ${b.to >= now - 1000 ? 'now' : minute(b.to)}` }), percent(b.from), width(b.from, b.to)));
    heights.forEach((h, i) => {
      if (!h) return;
      const bar = place(el('i', { class: 'motion' }), `${(100 * i / bins).toFixed(3)}%`, `${(100 / bins).toFixed(3)}%`);
      bar.style.height = `${(100 * h).toFixed(1)}%`;
      parts.push(bar);
    });
    for (const g of d.gaps) {
      const hatch = place(el('i', { class: g.lost ? 'gap lost' : 'gap', title: `${count(g.count, 'message')} ${g.lost ? 'will never come' : 'missing'}` }), percent(g.from), width(g.from, g.to));
      hatch.append(el('b', {}, String(g.count)));
      parts.push(hatch);
    }
    if (today) {
      parts.push(place(el('i', { class: 'ahead' }), percent(now), width(now, d.end)));
      parts.push(place(el('i', { class: 'needle', title: `now, ${minute(now)}` }), percent(now), '0'));
    }
    for (const r of d.refusals) parts.push(place(el('i', { class: 'refusal', title: `${clock(r.at)} refused` }), percent(r.at), '0'));
    row.rail.replaceChildren(...parts);
  }
}

function place(e, left, width) {
  e.style.left = left;
  if (width !== '0') e.style.width = width;
  return e;
}

// motion returns the height of each bin, 0 to 1: how many events it has, with
// how many pictures, and how long they lasted.
function motion(d) {
  const sums = new Array(bins).fill(0), step = (d.end - d.start) / bins;
  for (const row of d.events) {
    if (row.event.cause !== 'motion') continue;
    const { start, end } = row.event;
    const first = Math.floor((start - d.start) / step), last = Math.min(bins - 1, Math.floor((end - d.start) / step));
    const weight = 0.6 + (row.event.pictures.length + (row.event.clip ? 1 : 0)) * 0.4 + (end - start) / 120000;
    for (let i = Math.max(0, first); i <= last; i++) sums[i] += weight / (last - first + 1);
  }
  return sums.map((s) => (s ? Math.min(1, 0.16 + 0.2 * s) : 0));
}

function summary(d) {
  const missing = d.gaps.reduce((n, g) => n + g.count, 0);
  const refused = d.refusals.reduce((n, r) => n + r.refusal.count, 0);
  const parts = [d.events.length ? count(d.events.length, 'event') : 'Nothing happened'];
  if (missing) parts.push(`${missing} missing`);
  if (refused) parts.push(`${refused} refused`);
  return parts.join(', ');
}

function spanWords(what, spans) {
  const ms = spans.reduce((n, s) => n + s.to - s.from, 0);
  return ms > 60000 ? `, ${what} for ${length(ms)}` : '';
}
