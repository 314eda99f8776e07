// SPEC.md section 13: proof for third parties.

import { Tagged, concat, decode, head, same } from './cbor.mjs';
import * as cose from './cose.mjs';
import * as form from './form.mjs';
import { agree, plain, seal } from './message.mjs';
import { broken, malformed } from './refusal.mjs';

const MAX_PROOF = 12288, MAX_SEAL = 1024, MAX_HIDDEN = 8192;

// check holds media against a proof.
export async function check(proof, media) {
  if (proof.length > MAX_PROOF) malformed('a proof too large');
  const [name, version, sealed, hidden] = form.list(4, 4, (x) => x)(decode(proof));
  form.literal('sealcam proof')(name);
  form.version(version);
  form.bytes(1, MAX_SEAL)(sealed);
  form.bytes(1, MAX_HIDDEN)(hidden);
  const tagged = decode(sealed);
  if (!(tagged instanceof Tagged)) malformed('not a seal');
  const message = await seal(tagged);
  const text = concat(Uint8Array.of(0x82), hidden, head(2, media.length), media);
  if (!same(await cose.sha256(text), message.plainHash)) broken('other media, or other claims');
  const parts = plain(text);
  agree(message, parts.hidden, parts.media);
  return { ...message, media };
}
