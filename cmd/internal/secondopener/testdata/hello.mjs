// SPEC.md section 12: how a camera introduces itself.

import { concat, encode } from './cbor.mjs';
import * as cose from './cose.mjs';
import * as form from './form.mjs';
import { broken, malformed } from './refusal.mjs';

const MAX_HELLO = 8192, LABEL = new TextEncoder().encode('sealcam hello 1\0');
const helloForm = form.record({ 1: form.id, 8: form.cnf, '-65537': form.version, '-65542': form.boot }, {
  3: form.id, '-65538': form.count, '-65556': form.ascii(64), '-65557': form.ascii(64), '-65558': form.bytes(1, 4096), '-65559': form.hash,
});

function helloClaims(v) {
  helloForm(v);
  if (v.has(3) !== v.has(-65538)) malformed('household and roster go together');
  return v;
}

// open checks a hello and, if there is a secret, that its sender knows it.
export async function open(b, secret) {
  const signed = await cose.own(cose.open(b, 'hello', helloClaims, MAX_HELLO));
  if (!secret) return;
  const rest = new Map(signed.claims), mac = rest.get(-65559);
  rest.delete(-65559);
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  if (!mac || !await crypto.subtle.verify('HMAC', key, mac, concat(LABEL, encode(rest)))) broken('not bound to the code');
}
