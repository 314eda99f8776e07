// Runs the published vectors of uplink/seal through the opener as browsers get
// it: the same WebAssembly, the same JavaScript API. Vectors about what a viewer
// never does (commands at a camera, hellos, proofs) are not for this API.

import assert from 'node:assert/strict';
import { createHash, webcrypto } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

const [, , moduleDir, vectorDir] = process.argv;

// The opener draws the nonce of a question from here: a vector says which.
let nonce = null;
const crypto = {
  getRandomValues(a) {
    if (nonce && a.length === nonce.length) a.set(nonce);
    else webcrypto.getRandomValues(a);
    return a;
  },
};
Object.defineProperty(globalThis, 'crypto', { value: crypto, configurable: true });

await import(path.join(moduleDir, 'wasm_exec.js'));
const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(gunzipSync(readFileSync(path.join(moduleDir, 'seal.wasm.gz'))), go.importObject);
go.run(instance);
const sealcam = globalThis.sealcam;

function parse(text) {
  const [head, body] = text.split(/\n\n/);
  const v = { op: 'open', before: [], flags: '', gaps: '' };
  for (const line of head.split('\n')) {
    const at = line.indexOf(': '), key = line.slice(0, at), value = line.slice(at + 2);
    if (key === 'before') v.before.push(bytes(value));
    else v[key] = value;
  }
  v.body = bytes(body);
  return v;
}
const bytes = (base64) => new Uint8Array(Buffer.from(base64, 'base64'));
const never = -62135596800000; // Go's zero time: no clock
const words = (s) => s.split(' ').filter(Boolean).sort();

// outcome returns what came of a vector, in the vector's own words.
function outcome(v) {
  let clock = v['asked-at'];
  const started = sealcam.init({
    household: v.household, secret: v.viewer, roster: bytes(v.roster ?? ''), state: null, now: () => (clock ? Date.parse(clock) : never),
  });
  if (started.error) throw new Error(started.error);
  if (started.verdict === 'refused') return { expect: started.reason, flags: [], gaps: [] };
  if (v.op === 'roster') {
    const out = sealcam.roster(v.body);
    // The roster in force again is nothing to tell a person: the opener takes it.
    if (v.flags === 'duplicate') return { expect: out.verdict ? out.reason : 'replayed', flags: ['duplicate'], gaps: [] };
    return { expect: out.reason ?? 'verified', flags: flags(out), gaps: [] };
  }
  if (v.asked) {
    nonce = Buffer.from(v.asked, 'hex');
    const asked = sealcam.ask(v.camera);
    nonce = null;
    assert.ok(asked.command instanceof Uint8Array, 'asked');
  }
  clock = v.now;
  for (const [i, b] of v.before.entries()) assert.equal(sealcam.open(v.camera, b).verdict, 'verified', `before ${i}`);
  const out = v.op === 'check' ? sealcam.check(v.camera, v.body) : sealcam.open(v.camera, v.body);
  const gaps = sealcam.gaps(v.camera).map((g) => `${g.first}-${g.last}${g.lost ? '!' : ''}`);
  if (out.verdict !== 'verified') {
    assert.equal(out.media, undefined, 'a refusal has no media');
    assert.ok(out.person.length > 10 && out.detail.length > 3, 'a refusal has words');
    return { expect: out.reason, flags: flags(out), gaps };
  }
  assert.equal(out.camera, v.camera);
  return { expect: 'verified', flags: flags(out), gaps, media: createHash('sha256').update(out.media).digest('hex') };
}
const flags = (out) => ['fresh', 'late', 'behind', 'ahead', 'duplicate', 'alarm'].filter((f) => out[f]).sort();

let run = 0, failed = 0;
for (const name of readdirSync(vectorDir).sort()) {
  if (name === 'README.md') continue;
  const v = parse(readFileSync(path.join(vectorDir, name), 'latin1'));
  if (!['open', 'check', 'roster'].includes(v.op) || (v.op === 'roster' && !v.roster)) continue;
  run++;
  try {
    if (!v.viewer && v.op === 'roster') v.viewer = anyViewer();
    const got = outcome(v);
    assert.equal(got.expect, v.expect);
    assert.deepEqual(got.flags, words(v.flags));
    if (v.op !== 'roster') assert.deepEqual(got.gaps, v.gaps.split(' ').filter(Boolean));
    if (v.media) assert.equal(got.media, v.media);
  } catch (err) {
    failed++;
    console.log(`NOT OK ${name} (${v.comment}): ${err.message}`);
  }
}

// anyViewer returns the key of some vector: a roster is checked without one.
function anyViewer() {
  anyViewer.key ??= readdirSync(vectorDir).map((n) => /^viewer: (.*)$/m.exec(readFileSync(path.join(vectorDir, n), 'latin1'))?.[1]).find(Boolean);
  return anyViewer.key;
}

console.log(`${run - failed} passed, ${failed} failed`);
process.exit(failed || run < 100 ? 1 : 0);
