// The bench drawer: what the path costs right now, and switches to spoil it.

import { byId, el, icon, setText, shape } from './dom.js';
import { bytes } from './words.js';

const keep = 120; // points of a plot, about a second each

export class Bench {
  constructor({ set }) {
    this.root = byId('bench');
    this.button = byId('bench-button');
    this.series = new Map();
    this.latency = [];
    this.since = { swapped: 0, refused: 0 };
    this.hostile = new Switch('Hostile relay', 'swaps the pictures of two cameras', (on) => set('hostile', on), 'spoils');
    this.network = new Switch('Network', 'between the cameras and the broker', (on) => set('network', on));
    this.plots = el('div', { class: 'plots' });
    this.stages = el('div', { class: 'stages' });
    this.root.append(
      el('header', {}, el('h2', {}, 'Bench'), el('button', { type: 'button', class: 'tool close', 'aria-label': 'Close the bench', onclick: () => this.toggle(false) }, icon('close'))),
      el('div', { class: 'switches' }, this.hostile.root, this.network.root), this.plots, this.stages);
    this.button.addEventListener('click', () => this.toggle());
    this.plot('fps', 'Frame rate', (v) => `${v.toFixed(1)} /s`);
    this.plot('cpu', 'CPU a frame', (v) => `${v.toFixed(v < 1 ? 2 : 1)} ms`);
    this.plot('spool', 'In the spool', (v) => `${v}`);
    this.plot('rate', 'Sealed', (v) => `${bytes(v)}/s`);
    this.plot('latency', 'Lens to glass', (v) => (v < 1000 ? `${Math.round(v)} ms` : `${(v / 1000).toFixed(1)} s`));
  }

  offer() { this.button.hidden = false; }

  toggle(open = this.root.hidden) {
    this.root.hidden = !open;
    this.button.setAttribute('aria-expanded', String(open));
    document.body.classList.toggle('with-bench', open);
    if (!open) this.button.focus();
  }

  plot(key, label, say) {
    const value = el('p', { class: 'value' }, '–');
    const line = shape('path', { class: 'line' }), area = shape('path', { class: 'area' });
    const svg = shape('svg', { viewBox: `0 0 ${keep - 1} 40`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    svg.append(area, line);
    const most = el('span', { class: 'most' });
    this.plots.append(el('figure', {}, el('figcaption', {}, label), value, svg, most));
    this.series.set(key, { points: [], value, line, area, most, say });
  }

  // saw takes the time from lens to glass of one live picture, in milliseconds.
  saw(ms) { if (ms > 0 && ms < 60000) this.latency.push(ms); }

  // stats takes what the server measured (BenchStats), and the page's own count.
  stats(s, refused) {
    const now = performance.now();
    if (!s.hostile) this.since = { swapped: s.swapped, refused };
    this.hostile.set(s.hostile, s.hostile
      ? `swapped ${s.swapped - this.since.swapped} pictures, ${refused - this.since.refused} refused here`
      : 'swaps the pictures of two cameras');
    this.network.set(s.network, s.network ? 'between the cameras and the broker' : 'cut: what is sealed waits in the spool');
    const stages = s.stages ?? [];
    this.#add('fps', s.fps);
    this.#add('cpu', stages.reduce((sum, x) => sum + x.ms, 0));
    this.#add('spool', s.spool);
    if (this.before) this.#add('rate', Math.max(0, s.bytes - this.before.bytes) / Math.max(0.2, (now - this.before.at) / 1000));
    this.before = { bytes: s.bytes, at: now };
    if (this.latency.length) {
      this.#add('latency', this.latency.toSorted((a, b) => a - b)[this.latency.length >> 1]);
      this.latency = [];
    }
    this.#stages(stages);
  }

  #add(key, v) {
    const p = this.series.get(key);
    p.points.push(v);
    if (p.points.length > keep) p.points.shift();
    setText(p.value, p.say(v));
    if (this.root.hidden) return;
    const top = Math.max(...p.points, 1e-9) * 1.15, from = keep - p.points.length;
    const path = p.points.map((y, i) => `${i ? 'L' : 'M'}${from + i} ${(39 - (37 * y) / top).toFixed(2)}`).join('');
    p.line.setAttribute('d', path);
    p.area.setAttribute('d', `${path}V40H${from}Z`);
    setText(p.most, `peak ${p.say(Math.max(...p.points))}`);
  }

  // #stages draws CPU per frame as one bar, in the order in which light travels.
  #stages(stages) {
    const sum = stages.reduce((n, x) => n + x.ms, 0);
    if (this.root.hidden || !sum) return;
    if (this.stages.childElementCount !== stages.length) {
      this.stages.replaceChildren(...stages.map((x) => el('div', { class: 'stage-cost' }, el('i'), el('span', {}, x.name), el('b'))));
    }
    stages.forEach((x, i) => {
      const e = this.stages.children[i];
      e.firstElementChild.style.width = `${((100 * x.ms) / sum).toFixed(1)}%`;
      setText(e.lastElementChild, `${x.ms.toFixed(2)} ms`);
    });
  }
}

// Switch is an on/off button with a line about what it does right now.
class Switch {
  constructor(label, text, change, cls = '') {
    this.button = el('button', { type: 'button', class: `switch ${cls}`, role: 'switch', 'aria-checked': 'false', onclick: () => change(this.button.getAttribute('aria-checked') !== 'true') }, el('i'));
    this.text = el('p', { class: 'fine', 'aria-live': 'polite' }, text);
    const name = el('p', { class: 'name' }, label);
    this.button.setAttribute('aria-label', label);
    this.root = el('div', { class: 'switching' }, this.button, el('div', {}, name, this.text));
  }

  set(on, text) {
    this.button.setAttribute('aria-checked', String(on));
    setText(this.text, text);
  }
}
