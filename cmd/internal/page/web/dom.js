// Small helpers to make elements. Text only ever becomes text: there is no way
// from a string to markup in this page, and its policy would not allow one.

const svg = 'http://www.w3.org/2000/svg';

// el makes an element: el('p', {class: 'x', hidden: true}, 'text', child).
// A property that starts with "on" is a listener; null children are left out.
export function el(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(props)) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, '');
    else e.setAttribute(k, v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

// icon makes one of the glyphs of index.html; it says nothing to screen
// readers, the words beside it do.
export function icon(name, cls = '') {
  const s = document.createElementNS(svg, 'svg');
  s.setAttribute('class', `i ${cls}`);
  s.setAttribute('aria-hidden', 'true');
  const u = document.createElementNS(svg, 'use');
  u.setAttribute('href', `#i-${name}`);
  s.append(u);
  return s;
}

// setIcon changes the glyph that icon made.
export function setIcon(s, name) {
  const u = s.firstElementChild, href = `#i-${name}`;
  if (u.getAttribute('href') !== href) u.setAttribute('href', href);
}

// shape makes an element of an SVG drawing.
export function shape(name, props = {}) {
  const e = document.createElementNS(svg, name);
  for (const [k, v] of Object.entries(props)) e.setAttribute(k, v);
  return e;
}

// setText writes only what changed, so that screen readers and the layout rest.
export function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

export const byId = (id) => document.getElementById(id);
