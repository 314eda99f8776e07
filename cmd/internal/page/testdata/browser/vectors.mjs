// Runs the published vectors of uplink/seal through the opener as browsers get
// it: the same WebAssembly, the same JavaScript API, in whatever runs this
// module: vectors_node.mjs or Chromium. Vectors about what a viewer never does
// (commands at a camera, hellos, peeking) are not for this API.

// The opener draws the nonce of a question from here: a vector says which.
let nonce = null;
const { getRandomValues } = Crypto.prototype;
Crypto.prototype.getRandomValues = function (a) {
  if (!nonce || a.length !== nonce.length) return getRandomValues.call(this, a);
  a.set(nonce);
  return a;
};

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
const bytes = (base64) => Uint8Array.from(atob(base64.replace(/\s/g, '')), (c) => c.charCodeAt(0));
const unhex = (s) => Uint8Array.from(s.match(/../g), (b) => parseInt(b, 16));
const sha256 = async (b) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', b))].map((x) => x.toString(16).padStart(2, '0')).join('');
const never = -62135596800000; // Go's zero time: no clock
const words = (s) => s.split(' ').filter(Boolean).sort();
const flags = (out) => ['fresh', 'late', 'behind', 'ahead', 'duplicate', 'alarm'].filter((f) => out[f]).sort();

function equal(got, want, what) {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

// refused returns a refusal in the vector's own words.
function refused(out, gaps = []) {
  equal(out.media, undefined, 'media of a refusal');
  if (!(out.person.length > 10 && out.detail.length > 3)) throw new Error('a refusal without words');
  return { expect: out.reason, flags: flags(out), gaps };
}

// outcome returns what came of a vector, in the vector's own words.
async function outcome(sealcam, v) {
  if (v.op === 'proof') {
    const media = bytes(v.published ?? ''), out = sealcam.prove(v.body, media);
    if (out.verdict !== 'proven') return refused(out);
    equal(await sha256(out.media), await sha256(media), 'proven media');
    return { expect: 'verified', flags: [], gaps: [] };
  }
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
    nonce = unhex(v.asked);
    const asked = v.watched ? sealcam.watch(v.camera) : sealcam.ask(v.camera);
    nonce = null;
    if (!(asked.command instanceof Uint8Array)) throw new Error('not asked');
  }
  clock = v.now;
  for (const [i, b] of v.before.entries()) equal(sealcam.open(v.camera, b).verdict, 'verified', `before ${i}`);
  const out = v.op === 'check' ? sealcam.check(v.camera, v.body) : sealcam.open(v.camera, v.body);
  const gaps = sealcam.gaps(v.camera).map((g) => `${g.first}-${g.last}${g.lost ? '!' : ''}`);
  if (out.verdict !== 'verified') return refused(out, gaps);
  equal(out.camera, v.camera, 'camera');
  return { expect: 'verified', flags: flags(out), gaps, media: await sha256(out.media) };
}

// run runs every vector of files (name: text) that is for this API, and returns
// how many passed, and what failed.
export async function run(sealcam, files) {
  const names = Object.keys(files).sort();
  // A roster, or a proof, is checked without a key; the API wants one.
  const anyViewer = names.map((n) => /^viewer: (.*)$/m.exec(files[n])?.[1]).find(Boolean);
  let passed = 0;
  const failed = [];
  for (const name of names) {
    const v = parse(files[name]);
    if (!['open', 'check', 'roster', 'proof'].includes(v.op) || (v.op === 'roster' && !v.roster)) continue;
    if (v.op === 'roster') v.viewer ??= anyViewer;
    try {
      const got = await outcome(sealcam, v);
      equal(got.expect, v.expect, 'expect');
      equal(got.flags, words(v.flags), 'flags');
      if (v.op !== 'roster') equal(got.gaps, v.gaps.split(' ').filter(Boolean), 'gaps');
      if (v.media) equal(got.media, v.media, 'media');
      passed++;
    } catch (err) {
      failed.push(`${name} (${v.comment}): ${err.message}`);
    }
  }
  return { passed, failed };
}

// runAll runs every vector through uplink/seal's own runner, compiled for
// browsers: the operations that this page has no use for are in it, too.
export function runAll(judge, files) {
  let passed = 0;
  const failed = [];
  for (const [name, text] of Object.entries(files)) {
    const wrong = judge(text);
    if (wrong) failed.push(`${name}: ${wrong}`);
    else passed++;
  }
  return { passed, failed };
}
