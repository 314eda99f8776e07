// Forms: each is a function that takes a decoded value and refuses it, or
// returns it. They are the CDDL of SPEC.md, section by section.

import { MAX, compare } from './cbor.mjs';
import { malformed } from './refusal.mjs';

const must = (ok, v, what) => (ok ? v : malformed(`expected ${what}`));
const size = (s) => new TextEncoder().encode(s).length;

export const int = (min, max = MAX) => (v) => must(Number.isInteger(v) && v >= min && v <= max, v, `integer ${min}..${max}`);
export const literal = (...all) => (v) => must(all.includes(v), v, `one of ${all}`);
export const bytes = (min, max = min) => (v) => must(v instanceof Uint8Array && v.length >= min && v.length <= max, v, `${min}..${max} bytes`);
export const text = (pattern, max = 64) => (v) => must(typeof v === 'string' && v !== '' && size(v) <= max && pattern.test(v), v, `text like ${pattern}`);
export const list = (min, max, item) => (v) => must(Array.isArray(v) && v.length >= min && v.length <= max, v, `array of ${min}..${max}`).map(item) && v;

// record is a map with exactly these keys; those of optional may be absent.
export const record = (required, optional = {}) => (v) => {
  must(v instanceof Map, v, 'map');
  const forms = new Map([...pairs(required), ...pairs(optional)]);
  for (const [k, x] of v) (forms.get(k) ?? (() => malformed(`unknown claim ${k}`)))(x);
  for (const [k] of pairs(required)) must(v.has(k), v, `claim ${k}`);
  return v;
};
const pairs = (o) => Object.entries(o).map(([k, form]) => [Number(k), form]);

export const count = int(1), uint53 = int(0), second = int(1, 9007199254), micro = count, version = literal(1);
export const hash = bytes(32), boot = bytes(16), nonce = bytes(16, 32);
export const id = text(/^[a-z2-7]{51}[aq]$/); // 260 bits, the last four of them zero
export const token = text(/^[a-z0-9.\-_]+$/);
export const ascii = (max) => text(/^[\x20-\x7e]+$/, max);
export const name = text(/^[^\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]+$/u);
export const key = record({ 1: literal(2), '-1': literal(1), '-2': bytes(32), '-3': bytes(32) });
export const cnf = record({ 1: key });

export function ranges(v) {
  list(1, 64, list(2, 2, count))(v);
  for (const [i, [first, last]] of v.entries()) {
    must(first <= last, v, 'range that rises');
    must(i === 0 || first >= v[i - 1][1] + 2, v, 'ranges that rise with a number between');
  }
  return v;
}

// rising is a list of ids, in bytewise order, each once.
export const rising = (min, max, item, idOf = (x) => x) => (v) => {
  list(min, max, item)(v);
  const encoder = new TextEncoder();
  for (let i = 1; i < v.length; i++) must(compare(encoder.encode(idOf(v[i - 1])), encoder.encode(idOf(v[i]))) < 0, v, 'rising ids');
  return v;
};
