// SPEC.md sections 3 and 4: ids of keys, and what is signed with them.

import { Tagged, concat, decode, encode, same } from './cbor.mjs';
import * as form from './form.mjs';
import { broken, malformed } from './refusal.mjs';

const { subtle } = globalThis.crypto;
const SPKI = Uint8Array.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004'.match(/../g), (x) => parseInt(x, 16));
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const TYPE = 'application/vnd.sealcam.';

export const sha256 = async (b) => new Uint8Array(await subtle.digest('SHA-256', b));

export function base32(b) {
  let out = '', bits = 0, value = 0;
  for (const x of b) {
    value = (value << 8 | x) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) out += ALPHABET[value >> (bits - 5) & 31];
  }
  return bits ? out + ALPHABET[value << (5 - bits) & 31] : out;
}

export const keyID = async (key) => base32(await sha256(concat(SPKI, key.get(-2), key.get(-3))));

// publicKey imports a COSE_Key, whose form was checked; a point that is not on
// the curve is malformed.
export async function publicKey(key) {
  try {
    return await subtle.importKey('raw', concat(Uint8Array.of(4), key.get(-2), key.get(-3)), { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);
  } catch {
    return malformed('the key is not a point of P-256');
  }
}

const header = (type) => form.record({ 1: form.literal(-7), 4: form.hash, 16: form.literal(TYPE + type) });

// open checks the form of a COSE_Sign1 of one type, and that of its claims. The
// signature is not verified. tagged is the decoded item, or bytes that hold it.
export function open(tagged, type, claims, max) {
  if (tagged instanceof Uint8Array) {
    if (tagged.length > max) malformed(`more than ${max} bytes`);
    tagged = decode(tagged);
  }
  if (!(tagged instanceof Tagged) || tagged.tag !== 18) malformed('not a tagged COSE_Sign1');
  if (tagged.raw.length > max) malformed(`more than ${max} bytes`);
  form.list(4, 4, (x) => x)(tagged.value);
  const [head, unprotected, payload, signature] = tagged.value;
  form.record({})(unprotected);
  for (const b of [head, payload]) form.bytes(1, max)(b);
  form.bytes(64)(signature);
  const kid = base32(header(type)(decode(head)).get(4));
  return { raw: tagged.raw, head, payload, signature, kid, claims: claims(decode(payload)) };
}

// verify refuses a signature that is not key's, or has the upper s.
export async function verify(signed, key, why = 'the signature') {
  const s = BigInt('0x' + Array.from(signed.signature.subarray(32), (x) => x.toString(16).padStart(2, '0')).join(''));
  if (s > (ORDER - 1n) / 2n) broken(`${why} has the upper s`);
  const message = encode(['Signature1', signed.head, new Uint8Array(0), signed.payload]);
  if (!await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signed.signature, message)) broken(`${why} does not verify`);
}

// own checks that signed is what the key it carries in claim 8 signed, under
// the id that it claims in claim 1.
export async function own(signed) {
  const key = signed.claims.get(8).get(1), point = await publicKey(key);
  const id = await keyID(key);
  if (id !== signed.claims.get(1) || id !== signed.kid) broken('the key has another id');
  await verify(signed, point);
  return signed;
}

export { same };
