// SPEC.md section 5: the sealed message, outside and inside.

import { decode, head } from './cbor.mjs';
import * as cose from './cose.mjs';
import * as form from './form.mjs';
import { broken, malformed, refuse } from './refusal.mjs';

export const DURABLE = 1, LIVE = 2, WILL = 3, RECORDING = 4, VIEW = 5;
const MAX_MESSAGE = 8 << 20, MAX_SEAL = 1024, MAX_HIDDEN = 8192;

const visibleForm = form.record({
  1: form.id, 3: form.id, 8: form.cnf, '-65537': form.version, '-65538': form.count, '-65539': form.literal(1, 2, 3, 4, 5),
  '-65540': form.uint53, '-65542': form.boot, '-65543': form.hash, '-65544': form.hash,
}, { 4: form.second, '-65541': form.hash });

function visible(v) {
  visibleForm(v);
  const stream = v.get(-65539);
  if (stream !== WILL && v.get(-65540) < 1) malformed('sequence 0');
  if (v.has(4) && stream !== LIVE) malformed('expires, and is not live');
  const chained = stream === DURABLE || stream === RECORDING;
  if (v.has(-65541) !== chained) malformed('hash of the message before, exactly in durable ones and recordings');
  if (chained && v.get(-65540) === 1 && v.get(-65541).some((x) => x !== 0)) malformed('a message before the first');
  return v;
}

// seal opens the signed part of a message or a proof: steps 1 and 2 of section 7.
export async function seal(tagged) {
  const signed = cose.open(tagged, 'seal', visible, MAX_SEAL);
  await cose.own(signed);
  const v = signed.claims;
  return {
    camera: v.get(1), household: v.get(3), expires: v.get(4), roster: v.get(-65538), stream: v.get(-65539), seq: v.get(-65540),
    prev: v.get(-65541), boot: v.get(-65542), bodyHash: v.get(-65543), plainHash: v.get(-65544), hash: await cose.sha256(signed.raw),
  };
}

// peek is steps 1 to 3: what its own key sealed, and no more.
export async function peek(b) {
  if (b.length > MAX_MESSAGE) malformed('more than 8 MiB');
  const [sealed, body] = form.list(2, 2, (x) => x)(decode(b));
  form.bytes(0, MAX_MESSAGE)(body);
  const message = await seal(sealed);
  if (!cose.same(await cose.sha256(body), message.bodyHash)) broken('the body is another');
  return { ...message, body };
}

const permille = form.int(0, 1000);
const label = (v) => {
  form.record({ 1: form.name, 3: form.list(4, 4, permille) }, { 2: form.int(1, 1000) })(v);
  const [x, y, w, h] = v.get(3);
  if (x + w > 1000 || y + h > 1000) malformed('a label outside of the picture');
};

const hiddenForm = form.record({
  1: form.id, 2: form.literal(1, 2, 3, 4, 5), 3: form.uint53, 4: form.bytes(32), 5: form.token, 6: form.literal('none', 'rtc', 'ntp'),
}, {
  7: form.micro, 8: form.count, 9: form.ascii(128), 10: form.int(1, 65536), 11: form.int(1, 65536), 12: form.token, 13: form.token,
  14: form.count, 15: form.int(1, 4294967295), 16: form.literal(true), 17: form.list(1, 32, label), 18: form.nonce, 19: form.hash,
  20: form.ranges, 21: form.ascii(64), 22: form.hash,
});

// plain splits a plaintext into its claims and its media, and checks as much of
// the claims as the next steps need: step 10.
export function plain(b) {
  const [hidden, media] = form.list(2, 2, (x) => x)(decode(b));
  form.bytes(0, MAX_MESSAGE)(media);
  if (b.length - 1 - head(2, media.length).length - media.length > MAX_HIDDEN) malformed('more than 8,192 bytes of hidden claims');
  if (!(hidden instanceof Map)) malformed('hidden claims are a map');
  for (const [k, type] of [[1, 'string'], [2, 'number'], [3, 'number']]) if (typeof hidden.get(k) !== type) malformed(`type of claim ${k}`);
  form.bytes(32)(hidden.get(4));
  return { hidden, media };
}

// agree holds the hidden claims against the visible ones: steps 11 to 13.
export function agree(message, hidden, media) {
  if (hidden.get(1) !== message.camera) refuse('wrong camera', 'another camera inside');
  if (hidden.get(2) !== message.stream || hidden.get(3) !== message.seq) broken('another number inside');
  hiddenForm(hidden);
  const clock = hidden.get(6), taken = hidden.get(7), lost = hidden.get(20);
  if (clock !== 'none' && taken === undefined) malformed('a clock and no time');
  if ((media.length > 0) !== hidden.has(9)) malformed('media and their type');
  if ((message.expires !== undefined) !== (message.stream === LIVE && clock !== 'none')) malformed('expiry, exactly in live messages of a camera with a clock');
  if (message.expires !== undefined && message.expires * 1e6 <= taken) malformed('expired before it was taken');
  if ((message.stream === RECORDING) !== (hidden.get(5) === 'recording')) malformed('kind recording, exactly in that stream');
  if (message.stream === RECORDING && (hidden.has(14) || hidden.has(18))) malformed('a recording of an event, or that answers');
  if ((lost !== undefined) !== (hidden.get(5) === 'gap')) malformed('lost numbers, exactly in kind gap');
  if (lost && message.stream !== DURABLE) malformed('lost numbers outside of the durable stream');
  if (message.stream === VIEW && !hidden.has(18)) malformed('live view that answers no watch');
  if (lost && lost.at(-1)[1] >= message.seq) malformed('lost numbers not below its own');
}
