// SPEC.md section 6: what a viewer keeps secret.

import { identityToRecipient } from 'age-encryption';
import { concat, same } from './cbor.mjs';
import { sha256 } from './cose.mjs';

const PREFIX = 'SEALCAM-VIEWER-1', IDENTITY = 'AGE-SECRET-KEY-PQ-';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

// parse reads a viewer's secret and returns its age identity and its scalar.
export async function parse(line) {
  if (!line.startsWith(PREFIX)) throw new Error('not a viewer key');
  const all = regroup([...line.slice(PREFIX.length)].map((c) => BASE32.indexOf(c)), 5, 8);
  const [seed, scalar, sum] = [all.slice(0, 32), all.slice(32, 64), all.slice(64, 68)];
  const digest = await sha256(concat(new TextEncoder().encode(PREFIX), seed, scalar));
  if (!same(digest.subarray(0, 4), sum)) throw new Error('a viewer key with a wrong sum');
  const identity = bech32(IDENTITY, seed);
  await identityToRecipient(identity);
  return { identity, scalar };
}

function regroup(values, from, to, pad = false) {
  const out = [];
  let bits = 0, value = 0;
  for (const v of values) {
    value = (value << from | v) & 0xfff;
    for (bits += from; bits >= to; bits -= to) out.push(value >> (bits - to) & ((1 << to) - 1));
  }
  if (pad && bits) out.push(value << (to - bits) & ((1 << to) - 1));
  return Uint8Array.from(out);
}

function bech32(prefix, data) {
  const low = prefix.toLowerCase(), words = [...regroup(data, 8, 5, true)];
  const expanded = [...[...low].map((c) => c.charCodeAt(0) >> 5), 0, ...[...low].map((c) => c.charCodeAt(0) & 31)];
  const sum = polymod([...expanded, ...words, 0, 0, 0, 0, 0, 0]) ^ 1;
  for (let i = 5; i >= 0; i--) words.push(sum >>> 5 * i & 31);
  return `${low}1${words.map((w) => BECH32[w]).join('')}`.toUpperCase();
}

function polymod(values) {
  let c = 1;
  for (const v of values) {
    const top = c >>> 25;
    c = (c & 0x1ffffff) << 5 ^ v;
    for (const [i, g] of [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].entries()) if (top >> i & 1) c ^= g;
  }
  return c >>> 0;
}
