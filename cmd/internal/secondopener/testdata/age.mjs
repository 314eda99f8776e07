// Step 8 of SPEC.md section 7: an age file to viewers of one kind.

import { Decrypter } from 'age-encryption';
import { broken, malformed, refuse } from './refusal.mjs';

const MAX_HEADER = 109056, MAX_STANZAS = 64;

// decrypt returns the plaintext of an age file for an identity
// (AGE-SECRET-KEY-PQ-1...).
export async function decrypt(file, identity) {
  checkHeader(file);
  const d = new Decrypter();
  let matched = true;
  d.addIdentity(identity);
  d.addIdentity({ unwrapFileKey() { matched = false; return null; } }); // asked only when the first found nothing
  try {
    return await d.decrypt(file);
  } catch (err) {
    return matched ? broken(`decryption: ${err.message}`) : refuse('not for you', 'no stanza is for this viewer');
  }
}

// checkHeader is step 8a: which lines there are. What stands in them is for
// decryption to find wrong.
function checkHeader(file) {
  const text = new TextDecoder('latin1').decode(file.subarray(0, MAX_HEADER));
  const end = text.indexOf('\n--- ');
  if (end < 0 || text.indexOf('\n', end + 1) < 0) malformed('an age header without end');
  const lines = text.slice(0, end).split('\n'), stanzas = lines.filter((line) => line.startsWith('->'));
  if (lines[0] !== 'age-encryption.org/v1') malformed('not an age file');
  if (!stanzas.every((line) => line.startsWith('-> mlkem768x25519 '))) malformed('a stanza of another kind');
  if (stanzas.length < 1 || stanzas.length > MAX_STANZAS) malformed(`${stanzas.length} stanzas`);
}
