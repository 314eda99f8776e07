// SPEC.md section 10: rosters.

import { Encrypter } from 'age-encryption';
import { compare, decode, same } from './cbor.mjs';
import * as cose from './cose.mjs';
import * as form from './form.mjs';
import { broken, malformed, refuse } from './refusal.mjs';

const MAX_ROSTER = 256 << 10;

const MAX_ADDITION = 4096;

const groups = form.rising(1, 16, form.token);
const camera = form.record({ 1: form.id }, { 2: form.name, 3: form.second, 4: groups });
const viewer = form.record({ 2: recipient }, { 1: form.name, 3: form.key, 4: form.literal(1, 2, 4, 5, 6, 7) });
const keeper = form.record({ 1: form.name, 2: form.key }, { 3: form.text(/^https:\/\/[A-Za-z0-9.:[\]-]+$/, 256) });
const rosterForm = form.record({ 1: form.id, 3: form.id, 8: form.cnf, '-65537': form.version, '-65538': form.count }, {
  6: form.second,
  '-65545': form.rising(1, 256, camera, (c) => c.get(1)), '-65546': form.list(1, 64, viewer), '-65547': form.rising(1, 256, form.id),
  '-65548': form.list(1, 8, form.bytes(1, MAX_ROSTER)), '-65549': form.rising(1, 9, form.id),
  '-65561': form.list(1, 8, keeper), '-65562': form.hash,
});
const additionForm = form.record({
  1: form.id, 3: form.id, 6: form.second, '-65537': form.version, '-65538': form.count,
  '-65570': form.record({ 1: form.id }, { 2: form.name, 4: groups }),
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

// open accepts a roster of a household, alone or with operators' additions, as the
// first that is seen.
export async function open(household, b) {
  if (b.length > MAX_ROSTER) malformed(`more than ${MAX_ROSTER} bytes`);
  if (b[0] !== 0x84) return openOwners(household, b);
  const parts = form.list(4, 4, (x) => x)(decode(b));
  const [kind, version, owners, additions] = parts;
  if (kind !== 'sealcam roster') malformed('not a roster');
  form.version(version);
  form.bytes(1, MAX_ROSTER)(owners);
  form.list(1, 64, form.bytes(1, MAX_ADDITION))(additions);
  const roster = await openOwners(household, owners), ids = [];
  for (const a of additions) {
    const id = await addition(roster, a);
    if (ids.length && ids.at(-1) >= id) malformed('additions do not rise by camera');
    ids.push(id);
    roster.additions.set(id, a);
  }
  if (roster.cameras.size + ids.length > 256) malformed('more than 256 cameras');
  for (const id of ids) roster.cameras.add(id);
  return roster;
}

// addition judges one addition to a roster, and returns its camera.
async function addition(roster, b) {
  const signed = cose.open(b, 'addition', additionForm, MAX_ADDITION), c = signed.claims, id = c.get(-65570).get(1);
  const who = await party(roster, signed);
  if (c.get(3) !== roster.household) refuse('not for you', 'an addition to another household');
  if (c.get(-65538) !== roster.version) refuse('replayed', 'an addition to another roster');
  if (!who.roles?.has('add')) refuse('revoked', 'by somebody who may not add');
  if (roster.revoked.has(id)) refuse('revoked', 'a camera that the owner revoked');
  if (roster.cameras.has(id)) malformed('a camera that the owner lists');
  roster.groups.set(id, c.get(-65570).get(4) ?? []);
  return id;
}

const ROLES = [['watch', 1], ['command', 2], ['add', 4]];

// party returns whose signature it is: an owner's (all roles are its own), a viewer's
// with its roles, or a keeper's.
export async function party(roster, signed) {
  const issuer = signed.claims.get(1);
  if (signed.kid !== issuer) broken('kid is not iss');
  const owner = roster.withdrawn.has(issuer) ? undefined : roster.owners.get(issuer);
  const who = owner ? { owner: true, key: owner } : roster.viewers.get(issuer) ?? roster.keepers.get(issuer);
  if (!who) refuse('revoked', 'signed by nobody of the roster');
  await cose.verify(signed, who.key);
  return who;
}

// may tells whether somebody is an owner, or a viewer with a role.
export const may = (who, role) => Boolean(who.owner || who.roles?.has(role));

async function openOwners(household, b) {
  const signed = cose.open(b, 'roster', rosterForm, MAX_ROSTER), claims = signed.claims;
  const founding = claims.get(8).get(1);
  const owners = new Map([[await cose.keyID(founding), await cose.publicKey(founding)]]);
  const roster = {
    household: claims.get(3), issuer: claims.get(1), version: claims.get(-65538), hash: await cose.sha256(b),
    cameras: new Set((claims.get(-65545) ?? []).map((c) => c.get(1))), viewers: new Map(), keepers: new Map(), withdrawn: new Set(claims.get(-65549)), owners,
    revoked: new Set(claims.get(-65547)), additions: new Map(), groups: new Map((claims.get(-65545) ?? []).map((c) => [c.get(1), c.get(4) ?? []])),
  };
  for (const id of claims.get(-65547) ?? []) if (roster.cameras.has(id)) malformed('a camera that is revoked');
  await viewers(roster, claims.get(-65546) ?? []);
  await keepers(roster, claims.get(-65561) ?? []);
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
    const sum = v.get(4) ?? 3;
    if (!key && v.has(4) && sum !== 1) malformed('roles of a viewer without a key');
    if (!key) continue;
    const id = await cose.keyID(key), roles = new Set(ROLES.filter(([, bit]) => sum & bit).map(([role]) => role));
    if (roster.viewers.has(id) || roster.owners.has(id)) malformed('a viewer with the key of another, or of the owner');
    roster.viewers.set(id, { roles, key: await cose.publicKey(key) });
  }
}

async function keepers(roster, list) {
  const names = new Set();
  for (const k of list) {
    const id = await cose.keyID(k.get(2));
    if (names.has(k.get(1)) || roster.keepers.has(id) || roster.viewers.has(id) || roster.owners.has(id)) malformed('a keeper with the name or key of another');
    names.add(k.get(1));
    roster.keepers.set(id, { keeper: true, key: await cose.publicKey(k.get(2)) });
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
  if (!same(next.hash, older.hash)) broken('two rosters of one version', { alarm: true });
  let news = false;
  for (const [id, b] of next.additions) {
    const have = older.additions.get(id);
    if (have && compare(b, have) >= 0) continue;
    older.additions.set(id, b);
    older.cameras.add(id);
    news = true;
  }
  return news ? older : refuse('replayed', 'again', { duplicate: true });
}
