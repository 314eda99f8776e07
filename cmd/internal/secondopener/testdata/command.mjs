// SPEC.md section 11: what a camera is told.

import * as cose from './cose.mjs';
import * as form from './form.mjs';
import { malformed, refuse } from './refusal.mjs';
import { may, party } from './roster.mjs';

const MAX_COMMAND = 4096;
const commandForm = form.record({
  1: form.id, 3: form.id, 4: form.second, 6: form.second, '-65537': form.version, '-65550': form.count, '-65551': form.token,
}, { '-65552': form.nonce, '-65553': form.count, '-65554': form.count, '-65555': form.ranges });

function commandClaims(v) {
  commandForm(v);
  const from = v.get(-65553), to = v.get(-65554), gaps = v.get(-65555);
  if (v.get(4) <= v.get(6)) malformed('expired when it was issued');
  if ((from === undefined) !== (to === undefined) || from > to) malformed('from and to');
  if (gaps && (from === undefined || gaps[0][0] < from || gaps.at(-1)[1] > to)) malformed('gaps outside of from and to');
  return v;
}

function allowed(who, verb) {
  if (verb === 'receipt' || verb === 'resend') return who.keeper || may(who, 'watch');
  return may(who, ['snapshot', 'watch', 'fetch'].includes(verb) ? 'watch' : 'command');
}

// Guard is the camera's side: it accepts each command once.
export class Guard {
  counters = new Map();

  constructor({ camera, roster, now }) { Object.assign(this, { camera, roster, now }); }

  async accept(b, retained) {
    const signed = cose.open(b, 'command', commandClaims, MAX_COMMAND), c = signed.claims, issuer = c.get(1), now = this.now();
    const who = await party(this.roster, signed);
    if (c.get(3) !== this.camera) refuse('wrong camera', 'for another camera');
    if (!allowed(who, c.get(-65551))) refuse('revoked', 'a verb that the role does not allow');
    if (retained) refuse('replayed', 'retained');
    if (c.get(-65550) <= (this.counters.get(issuer) ?? 0)) refuse('replayed', 'counted before');
    const ages = verb => verb !== 'receipt' && verb !== 'resend';
    if (now !== undefined && ages(c.get(-65551)) && now >= c.get(4) * 1e6) refuse('stale', 'expired');
    this.counters.set(issuer, c.get(-65550));
  }
}
