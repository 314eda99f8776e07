// The list of the past: events with their thumbnails, what is missing, and what
// was refused. One line is in the tab order, the arrows move through the rest.

import { delivery as clipDelivery } from './clip.js';
import { el, icon, setText } from './dom.js';
import { bytes, cause, causeIcon, clock, count, day, length, light, minute, moment, startOfDay } from './words.js';
import { refusalWords } from './tile.js';

const page = 60; // lines shown at first, and added on demand

export class EventList {
  constructor(root, { open, name }) {
    this.root = root;
    this.open = open;
    this.name = name;
    this.cards = new Map(); // key: {root, sign}
    this.limit = page;
    this.current = '';
    this.sight = new IntersectionObserver((seen) => this.#seen(seen), { rootMargin: '400px' });
    root.addEventListener('keydown', (e) => this.#key(e));
    root.addEventListener('focusin', (e) => this.#focused(e));
  }

  // show draws rows (Model.rows): only lines that changed are touched.
  show(rows, now, several, caughtUp = true) {
    this.rows = rows;
    const visible = rows.slice(0, this.limit), keep = new Set(), order = [];
    let last = null;
    for (const row of visible) {
      const start = startOfDay(row.at);
      if (start !== last) order.push(this.#heading(start, now, keep));
      last = start;
      order.push(this.#card(row, several, keep));
    }
    if (rows.length > visible.length) order.push(this.#more(rows.length - visible.length, keep));
    if (!rows.length) order.push(this.#empty(keep, caughtUp));
    for (const [key, card] of this.cards) {
      if (keep.has(key)) continue;
      this.sight.unobserve(card.root);
      card.root.remove();
      this.cards.delete(key);
    }
    order.forEach((node, i) => {
      if (this.root.children[i] !== node) this.root.insertBefore(node, this.root.children[i] ?? null);
    });
    this.#rove();
  }

  // select moves to a line, as a click on the rail does.
  select(key) {
    const i = this.rows.findIndex((r) => r.key === key);
    if (i < 0) return;
    if (i >= this.limit) {
      this.limit = i + page;
      this.onmore?.();
    }
    const card = this.cards.get(key);
    this.current = key;
    this.#rove();
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    card?.root.scrollIntoView({ block: 'nearest', behavior: calm ? 'auto' : 'smooth' });
    card?.root.focus({ preventScroll: true });
  }

  // step moves the focus by n lines.
  step(n) {
    const keys = [...this.root.querySelectorAll('[data-key]')].map((e) => e.dataset.key);
    if (!keys.length) return;
    const at = keys.indexOf(document.activeElement?.dataset?.key ?? '');
    const next = at < 0 ? Math.max(0, keys.indexOf(this.current)) : Math.min(keys.length - 1, Math.max(0, at + n));
    this.select(keys[next]);
  }

  #key(e) {
    const card = e.target.closest?.('[data-key]');
    if (card !== e.target || (e.key !== 'Enter' && e.key !== ' ')) return;
    e.preventDefault();
    card.click();
  }

  #focused(e) {
    const key = e.target.closest?.('[data-key]')?.dataset.key;
    if (!key) return;
    this.current = key;
    this.#rove();
  }

  #rove() {
    const cards = [...this.root.querySelectorAll('[data-key]')];
    const current = cards.find((c) => c.dataset.key === this.current) ?? cards[0];
    for (const c of cards) c.tabIndex = c === current ? 0 : -1;
  }

  #kept(key, keep, make) {
    keep.add(key);
    let card = this.cards.get(key);
    if (!card) {
      card = make();
      this.cards.set(key, card);
    }
    return card;
  }

  #heading(start, now, keep) {
    const card = this.#kept(`day/${start}`, keep, () => ({ root: el('h3', { class: 'date' }) }));
    setText(card.root, day(start, now));
    return card.root;
  }

  #more(n, keep) {
    const card = this.#kept('more', keep, () => ({ root: el('button', { type: 'button', class: 'plain more', onclick: () => { this.limit += page; this.onmore?.(); } }) }));
    setText(card.root, `Show ${Math.min(n, page)} older`);
    return card.root;
  }

  #empty(keep, caughtUp) {
    const card = this.#kept('empty', keep, () => ({ root: el('p', { class: 'nothing' }) }));
    setText(card.root, caughtUp ? 'Nothing has happened yet. Events appear here as soon as a camera has sealed them.' : 'Checking what has come…');
    return card.root;
  }

  #card(row, several, keep) {
    const card = this.#kept(row.key, keep, () => this[`${row.type}Card`](row));
    this[`${row.type}Fill`](card, row, several);
    return card.root;
  }

  eventCard(row) {
    const canvas = el('canvas', { width: '264', height: '148', 'aria-hidden': 'true' });
    const card = {
      canvas, drawn: null, want: false, event: row.event,
      title: el('p', { class: 'what' }), when: el('p', { class: 'when' }), state: el('p', { class: 'delivery' }), badge: el('span', { class: 'badge' }),
    };
    card.root = el('div', { class: 'event', role: 'button', 'data-key': row.key, onclick: () => this.open(card.event) },
      el('div', { class: 'thumb' }, canvas, card.badge), el('div', { class: 'text' }, card.title, card.when, card.state));
    card.root.card = card;
    this.sight.observe(card.root);
    return card;
  }

  eventFill(card, row, several) {
    const e = row.event, here = delivery(e);
    card.event = e;
    const sign = [e.start, e.end, here, e.light, e.labels.join(), several, this.name(e.camera)].join('|');
    if (sign !== card.sign) {
      card.sign = sign;
      const title = e.labels.length ? capital(e.labels.join(', ')) : cause(e.cause);
      card.title.replaceChildren(icon(causeIcon(e.cause)), el('span', {}, title), ...(several ? [el('span', { class: 'whose' }, this.name(e.camera))] : []));
      const lasted = e.end - e.start >= 1000 ? `, ${length(e.end - e.start)}` : '';
      setText(card.when, `${clock(e.start)}${lasted}`);
      setText(card.state, here);
      card.badge.replaceChildren(...(e.clip?.parts.size ? [icon('play')] : []), ...(e.light === 'night' ? [icon('night')] : []));
      card.root.setAttribute('aria-label', `${title}, ${this.name(e.camera)}, ${clock(e.start)}${lasted}${e.light ? `, ${light(e.light)}` : ''}. ${here}, verified`);
    }
    if (card.want) this.#draw(card);
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const card = target.card;
      card.want = isIntersecting;
      if (isIntersecting) this.#draw(card);
    }
  }

  #draw(card) {
    const v = card.event.pictures.find((p) => p.drawable) ?? [...(card.event.clip?.parts.values() ?? [])].find((p) => p.film.stills);
    if (!v || card.drawn === v) return;
    card.drawn = v;
    v.thumbnail(card.canvas).catch(() => { card.root.classList.add('undrawn'); });
  }

  refusalCard(row) {
    const card = { title: el('span'), when: el('p', { class: 'when' }), more: el('div', { class: 'more-words', hidden: true }) };
    card.root = el('div', { class: 'row refusal', role: 'button', 'data-key': row.key, 'aria-expanded': 'false', onclick: (e) => this.#unfold(card, e) },
      icon('refused'), el('div', { class: 'text' }, el('p', { class: 'what' }, card.title), card.when, card.more));
    return card;
  }

  #unfold(card, e) {
    if (e.target.closest('details')) return;
    card.more.hidden = !card.more.hidden;
    card.root.setAttribute('aria-expanded', String(!card.more.hidden));
  }

  refusalFill(card, row, several) {
    const r = row.refusal, sign = [r.count, r.until, several, this.name(r.camera)].join('|');
    if (sign === card.sign) return;
    card.sign = sign;
    setText(card.title, r.person);
    const times = r.count > 1 ? `, ${r.count} times since ${minute(r.at)}` : '';
    setText(card.when, `${clock(r.until)}${times}${several ? ` · ${this.name(r.camera)}` : ''} · not shown`);
    card.more.replaceChildren(...refusalWords({ ...r, received: r.until }).slice(2));
    card.more.querySelector('details').open = true;
  }

  gapCard(row) {
    const card = { title: el('span'), when: el('p', { class: 'when' }) };
    card.root = el('div', { class: 'row gap', 'data-key': row.key, role: 'note' }, icon('gap'), el('div', { class: 'text' }, el('p', { class: 'what' }, card.title), card.when));
    return card;
  }

  gapFill(card, row, several) {
    const { first, last, after, before, lost } = row.gap, n = last - first + 1;
    card.root.classList.toggle('lost', lost);
    setText(card.title, lost ? `${count(n, 'message')} will never come` : `${count(n, 'message')} missing${span(after, before)}`);
    const numbers = `number ${first === last ? first : `${first} to ${last}`}`;
    const words = lost ? [span(after, before).trim(), 'the camera ran out of room and says so'] : [numbers, 'asked for again'];
    setText(card.when, [several ? this.name(row.camera) : '', ...words].filter(Boolean).join(' · '));
  }

  closedCard() {
    const card = { title: el('span'), when: el('p', { class: 'when' }) };
    card.root = el('div', { class: 'row closed', role: 'note' }, icon('joined'), el('div', { class: 'text' }, el('p', { class: 'what' }, card.title), card.when));
    return card;
  }

  closedFill(card, row, several) {
    const { count: n, at, until, after, before } = row.closed;
    setText(card.title, `Gap closed: ${n} arrived late`);
    setText(card.when, [several ? this.name(row.camera) : '', minute(at) === minute(until) ? minute(until) : `${minute(at)} to ${minute(until)}`, span(after, before).trim()].filter(Boolean).join(' · '));
  }
}

const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);

function span(after, before) {
  if (after && before && startOfDay(after) !== startOfDay(before)) return ` between ${moment(after)} and ${moment(before)}`;
  if (after && before) return minute(after) === minute(before) ? ` at ${minute(before)}` : ` between ${minute(after)} and ${minute(before)}`;
  if (before) return ` before ${minute(before)}`;
  return after ? ` after ${minute(after)}` : '';
}

// delivery says what of the event has arrived.
export function delivery(e) {
  const shots = e.pictures.length;
  const size = bytes(e.pictures.reduce((n, p) => n + p.size, e.clip?.size ?? 0));
  if (!e.clip) return `${count(shots, 'picture')} here · ${size}`;
  return `${shots ? `${count(shots, 'picture')}, ` : ''}${clipDelivery(e.clip)} · ${size}`;
}
