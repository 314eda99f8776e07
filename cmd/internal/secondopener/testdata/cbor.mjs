// CBOR in the one encoding of SPEC.md section 2. What is not that encoding is
// refused here, byte by byte, so that nothing has to be encoded again to compare.

import { malformed } from './refusal.mjs';

export const MAX = Number.MAX_SAFE_INTEGER; // 2^53-1
const DEPTH = 8, ELEMENTS = 512, PAIRS = 64; // section 14
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// A tagged item; raw are its bytes, tag included.
export class Tagged {
  constructor(tag, value, raw) { Object.assign(this, { tag, value, raw }); }
}

// decode reads one item that is all of b. Integers become numbers, byte strings
// parts of b, maps Maps.
export function decode(b) {
  const r = new Reader(b);
  const value = r.item(DEPTH);
  if (r.at !== b.length) malformed('bytes after the end');
  return value;
}

class Reader {
  constructor(b) { this.b = b; this.at = 0; }

  take(n) {
    if (n > this.b.length - this.at) malformed('ends too early');
    this.at += n;
    return this.b.subarray(this.at - n, this.at);
  }

  // head returns major type and argument; only shortest forms pass.
  head() {
    const first = this.take(1)[0], major = first >> 5, info = first & 31;
    if (info < 24) return [major, info];
    if (info > 27) malformed('indefinite length or reserved head');
    const size = 1 << (info - 24);
    let n = 0n;
    for (const x of this.take(size)) n = n << 8n | BigInt(x);
    if (n < (size === 1 ? 24n : 1n << BigInt(4 * size))) malformed('head is not in its shortest form');
    if (n > BigInt(MAX)) malformed('integer above 2^53-1');
    return [major, Number(n)];
  }

  item(depth) {
    if (depth < 0) malformed('nested too deep');
    const start = this.at;
    const [major, n] = this.head();
    switch (major) {
      case 0: return n;
      case 1: return -1 - n;
      case 2: return this.take(n);
      case 3: return text(this.take(n));
      case 4: return this.array(n, depth - 1);
      case 5: return this.map(n, depth - 1);
      case 6: {
        const value = this.item(depth - 1);
        return new Tagged(n, value, this.b.subarray(start, this.at));
      }
    }
    if (this.at !== start + 1 || (n !== 20 && n !== 21)) malformed('float, null or another simple value');
    return n === 21;
  }

  array(n, depth) {
    if (n > ELEMENTS) malformed('too many elements');
    return Array.from({ length: n }, () => this.item(depth));
  }

  map(n, depth) {
    if (n > PAIRS) malformed('too many pairs');
    const map = new Map();
    for (let i = 0, last; i < n; i++) {
      const start = this.at, key = this.item(depth), raw = this.b.subarray(start, this.at);
      if (typeof key !== 'number' && typeof key !== 'string') malformed('key of a map');
      if (last && compare(last, raw) >= 0) malformed('keys of a map out of order, or twice');
      last = raw;
      map.set(key, this.item(depth));
    }
    return map;
  }
}

function text(b) {
  try {
    return utf8.decode(b);
  } catch {
    return malformed('text is not UTF-8');
  }
}

// compare orders byte strings bytewise.
export function compare(a, b) {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

export const same = (a, b) => compare(a, b) === 0;

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) { all.set(p, at); at += p.length; }
  return all;
}

// encode writes what decode reads, except tags.
export function encode(v) {
  if (typeof v === 'number') return v < 0 ? head(1, -1 - v) : head(0, v);
  if (typeof v === 'boolean') return head(7, v ? 21 : 20);
  if (typeof v === 'string') { const b = new TextEncoder().encode(v); return concat(head(3, b.length), b); }
  if (v instanceof Uint8Array) return concat(head(2, v.length), v);
  if (Array.isArray(v)) return concat(head(4, v.length), ...v.map(encode));
  const pairs = [...v].map(([k, x]) => [encode(k), encode(x)]).sort((a, b) => compare(a[0], b[0]));
  return concat(head(5, pairs.length), ...pairs.flat());
}

export function head(major, n) {
  if (n < 24) return Uint8Array.of(major << 5 | n);
  const size = n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x100000000 ? 4 : 8;
  const out = new Uint8Array(1 + size);
  out[0] = major << 5 | 24 + Math.log2(size);
  for (let i = size, x = BigInt(n); i > 0; i--, x >>= 8n) out[i] = Number(x & 255n);
  return out;
}
