// SPEC.md sections 18 and 19: what is signed for keepers, by them, and for settings.

import * as cose from './cose.mjs';
import * as form from './form.mjs';
import { malformed, refuse } from './refusal.mjs';
import { may, party } from './roster.mjs';

const passForm = form.record({ 1: form.id, 3: form.id, 4: form.second, 6: form.second, '-65537': form.version, '-65563': form.id });
const deletionForm = form.record({
  1: form.id, 3: form.id, 4: form.second, 6: form.second, '-65537': form.version, '-65550': form.count, '-65563': form.id,
}, { '-65553': form.count, '-65554': form.count, '-65564': form.id });
const deletedForm = form.record({ 1: form.id, 3: form.id, 6: form.second, '-65537': form.version, '-65565': form.hash }, {
  '-65566': form.count, '-65567': form.count,
});
const settingsForm = form.record({ 1: form.id, 3: form.id, 6: form.second, '-65537': form.version, '-65571': form.count }, {
  '-65564': form.id, '-65568': form.token, '-65569': form.bytes(1, 65536),
});

function lasting(v) {
  if (v.get(4) <= v.get(6)) malformed('expired when it was issued');
  return v;
}

// pass is what a keeper makes of one, with a clock in microseconds.
export async function pass(roster, b, now) {
  const claims = (v) => { if (lasting(passForm(v)).get(4) - v.get(6) > 600) malformed('for too long'); return v; };
  const signed = cose.open(b, 'pass', claims, 1024), c = signed.claims, who = await party(roster, signed);
  if (c.get(-65563) !== roster.household) refuse('not for you', 'for another household');
  if (!may(who, 'watch')) refuse('revoked', 'by somebody who may not watch');
  if (c.get(6) * 1e6 - now > 120e6 || now >= c.get(4) * 1e6) refuse('stale', 'not now');
}

// deletion is what a keeper makes of one that it has not seen before.
export async function deletion(roster, b) {
  const claims = (v) => {
    const from = lasting(deletionForm(v)).get(-65553), to = v.get(-65554);
    if ((from === undefined) !== (to === undefined) || from > to) malformed('from and to');
    if (from !== undefined && !v.has(-65564)) malformed('a range of no camera');
    return v;
  };
  const signed = cose.open(b, 'deletion', claims, 4096), who = await party(roster, signed);
  if (signed.claims.get(-65563) !== roster.household) refuse('not for you', 'for another household');
  if (!who.owner) refuse('revoked', 'by no owner');
}

// deleted is what an owner makes of the answer.
export async function deleted(roster, b) {
  const signed = cose.open(b, 'deleted', deletedForm, 4096), who = await party(roster, signed);
  if (signed.claims.get(3) !== roster.household) refuse('not for you', 'for another household');
  if (!who.keeper) refuse('revoked', 'by no keeper');
}

// settings is what a camera makes of them.
export async function settings(roster, camera, b) {
  const claims = (v) => { if (settingsForm(v).has(-65564) && v.has(-65568)) malformed('for a camera and a group'); return v; };
  const signed = cose.open(b, 'settings', claims, 66560), c = signed.claims, who = await party(roster, signed);
  if (c.get(3) !== roster.household) refuse('not for you', 'of another household');
  if (!may(who, 'command')) refuse('revoked', 'by somebody who may not command');
  if (!roster.cameras.has(camera)) refuse('revoked', 'the roster does not list the camera');
  if (c.has(-65564) && c.get(-65564) !== camera) refuse('wrong camera', 'for another camera');
  if (c.has(-65568) && !roster.groups.get(camera)?.includes(c.get(-65568))) refuse('wrong camera', 'for a group that it is not in');
}
