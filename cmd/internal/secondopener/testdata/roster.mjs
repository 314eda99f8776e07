// SPEC.md section 10: rosters.

import { Encrypter } from 'age-encryption';
import { same } from './cbor.mjs';
import * as cose from './cose.mjs';
import * as form from './form.mjs';
import { broken, malformed, refuse } from './refusal.mjs';

const MAX_ROSTER = 256 << 10;

const camera = form.record({ 1: form.id }, { 2: form.name, 3: form.second });
const viewer = form.record({ 2: recipient }, { 1: form.name, 3: form.key });
const rosterForm = form.record({ 1: form.id, 3: form.id, 8: form.cnf, '-65537': form.version, '-65538': form.count }, {
  6: form.second,
  '-65545': form.rising(1, 256, camera, (c) => c.get(1)), '-65546': form.list(1, 64, viewer), '-65547': form.rising(1, 256, form.id),
  '-65548': form.list(1, 8, form.bytes(1, MAX_ROSTER)), '-65549': form.rising(1, 9, form.id),
});
const grantForm = form.record({ 1: form.id, 3: form.id, 8: form.cnf, '-65537': form.version });

function recipient(v) {
  try {
    if (!v.startsWith('age1pq1') || v !== v.toLowerCase()) throw new Error('not a hybrid recipient in lower case');
    new Encrypter().addRecipient(v);
  } catch (err) {
    malformed(`recipient: ${err.message}`);
  }
}

// open accepts a signed roster of a household, as the first that is seen.
export async function open(household, b) {
  const signed = cose.open(b, 'roster', rosterForm, MAX_ROSTER), claims = signed.claims;
  const founding = claims.get(8).get(1);
  const owners = new Map([[await cose.keyID(founding), await cose.publicKey(founding)]]);
  const roster = {
    household: claims.get(3), issuer: claims.get(1), version: claims.get(-65538), hash: await cose.sha256(b),
    cameras: new Set((claims.get(-65545) ?? []).map((c) => c.get(1))), viewers: new Map(), withdrawn: new Set(claims.get(-65549)), owners,
  };
  for (const id of claims.get(-65547) ?? []) if (roster.cameras.has(id)) malformed('a camera that is revoked');
  await viewers(roster, claims.get(-65546) ?? []);
  if (!owners.has(roster.household)) broken('the founding key has another id');
  for (const g of claims.get(-65548) ?? []) await grant(roster, g);
  const key = owners.get(roster.issuer);
  if (signed.kid !== roster.issuer || !key) broken('signed by no owner');
  await cose.verify(signed, key);
  if (roster.household !== household) refuse('not for you', 'a roster of another household');
  if (roster.withdrawn.has(roster.issuer)) refuse('revoked', 'signed by a key that it withdraws');
  return roster;
}

async function viewers(roster, list) {
  const names = new Set(), recipients = new Set();
  for (const v of list) {
    const name = v.get(1) ?? '', key = v.get(3);
    if (names.has(name) || recipients.has(v.get(2))) malformed('two viewers of one name or recipient');
    names.add(name);
    recipients.add(v.get(2));
    if (!key) continue;
    const id = await cose.keyID(key);
    if (roster.viewers.has(id) || roster.owners.has(id)) malformed('a viewer with the key of another, or of the owner');
    roster.viewers.set(id, await cose.publicKey(key));
  }
}

async function grant(roster, b) {
  const signed = cose.open(b, 'grant', grantForm, MAX_ROSTER), key = signed.claims.get(8).get(1);
  const point = await cose.publicKey(key), id = await cose.keyID(key);
  const issuer = roster.owners.get(signed.claims.get(1));
  if (signed.kid !== signed.claims.get(1) || !issuer) broken('a grant by no owner');
  if (signed.claims.get(3) !== roster.household) broken('a grant for another household');
  await cose.verify(signed, issuer, 'the signature of a grant');
  if (roster.owners.has(id)) malformed('a grant of what is granted');
  roster.owners.set(id, point);
}

// replace judges whether next may take the place of older.
export function replace(older, next) {
  if (older.household !== next.household) refuse('not for you', 'a roster of another household');
  if (older.withdrawn.has(next.issuer)) refuse('revoked', 'signed by a key that was withdrawn');
  for (const id of older.withdrawn) if (!next.withdrawn.has(id)) refuse('revoked', 'a key that was withdrawn comes back');
  if (next.version < older.version) refuse('replayed', 'a lower version');
  if (next.version > older.version) return next;
  return same(next.hash, older.hash) ? refuse('replayed', 'again', { duplicate: true }) : broken('two rosters of one version', { alarm: true });
}
