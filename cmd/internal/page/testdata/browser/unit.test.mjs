// Tests of the page's parts that draw nothing: how the stream is cut, in which
// order records are opened, how times are said, and what the model remembers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cutter, follow, HELLO, LIVE, MEDIA, maxRecord } from './web/feed.js';
import { Model, merge, maxEvents, maxRefusals } from './web/model.js';
import { headline } from './web/now.js';
import { Queue } from './web/queue.js';
import { ago, bytes, day, length, list, startOfDay } from './web/words.js';

const id = (c) => c.repeat(51) + 'a';

function record(kind, camera, payload, { flags = 0, received = 1700000000123 } = {}) {
  const b = new Uint8Array(66 + payload.length), v = new DataView(b.buffer);
  v.setUint32(0, 62 + payload.length);
  b[4] = kind;
  b[5] = flags;
  b.set(new TextEncoder().encode(camera), 6);
  v.setBigUint64(58, BigInt(received));
  b.set(payload, 66);
  return b;
}

const join = (parts) => Uint8Array.from(parts.flatMap((p) => [...p]));

// A small generator of random numbers, so that a failure can be repeated.
function dice(seed) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

test('records come out the same however the stream is cut', () => {
  const roll = dice(7);
  const sent = Array.from({ length: 40 }, (_, i) => record(1 + (i % 7), i % 7 > 3 ? '' : id('bcdefg'[i % 6]), new Uint8Array(Math.floor(roll() * 3000)).fill(i), { flags: i % 4 }));
  const stream = join(sent);
  for (let round = 0; round < 60; round++) {
    const cutter = new Cutter(), got = [];
    for (let at = 0; at < stream.length;) {
      const n = 1 + Math.floor(roll() ** 3 * 20000);
      got.push(...cutter.push(stream.slice(at, at + n)));
      at += n;
    }
    assert.equal(got.length, sent.length);
    got.forEach((r, i) => {
      assert.deepEqual([r.kind, r.camera, r.retained, r.history, r.received], [1 + (i % 7), i % 7 > 3 ? '' : id('bcdefg'[i % 6]), (i & 1) !== 0, (i & 2) !== 0, 1700000000123]);
      assert.deepEqual(r.payload, sent[i].slice(66));
    });
  }
});

test('a payload is a copy: later records do not write into it', () => {
  const cutter = new Cutter();
  const [first] = cutter.push(record(LIVE, id('b'), new Uint8Array([1, 2, 3])));
  cutter.push(record(LIVE, id('b'), new Uint8Array([9, 9, 9])));
  assert.deepEqual([...first.payload], [1, 2, 3]);
});

test('a length that no record has ends the stream', () => {
  for (const size of [0, 61, maxRecord + 1, 0xffffffff]) {
    const b = new Uint8Array(80);
    new DataView(b.buffer).setUint32(0, size);
    assert.throws(() => new Cutter().push(b), /a record of/);
  }
});

test('any bytes are records or an error, and memory stays bounded', () => {
  const roll = dice(11);
  for (let round = 0; round < 3000; round++) {
    const cutter = new Cutter();
    try {
      for (let i = 0; i < 5; i++) cutter.push(Uint8Array.from({ length: Math.floor(roll() * 300) }, () => (roll() < 0.5 ? 0 : Math.floor(roll() * 256))));
    } catch (err) {
      assert.match(err.message, /^a record of \d+ bytes$/);
    }
  }
});

test('the feed is opened again when it ends', async () => {
  let opened = 0;
  const links = [];
  globalThis.fetch = async () => {
    opened++;
    if (opened === 2) throw new TypeError('no');
    if (opened > 3) return new Promise(() => {});
    return new Response(record(HELLO, id('b'), new Uint8Array(3)));
  };
  const got = [], waits = [];
  follow('feed', (r) => got.push(r.kind), (up, why) => links.push(up ? 'up' : why), (ms) => { waits.push(ms); return Promise.resolve(); });
  while (opened < 4) await new Promise((done) => setTimeout(done, 1));
  assert.deepEqual(got, [HELLO, HELLO]);
  assert.deepEqual(links, ['up', 'The server has gone.', 'The server is not reached.', 'up', 'The server has gone.']);
  assert.ok(waits.every((ms) => ms > 300 && ms < 20000), String(waits));
});

test('live pictures are opened first, and of each camera only the newest', async () => {
  const got = [];
  const queue = new Queue((r) => got.push(r.name));
  queue.add({ camera: 'b', name: 'b media' }, false);
  queue.add({ camera: 'b', name: 'b live 1' }, true);
  queue.add({ camera: 'c', name: 'c live 1' }, true);
  queue.add({ camera: 'b', name: 'b live 2' }, true);
  queue.add({ camera: 'c', name: 'c media' }, false);
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(got, [], 'nothing before start');
  queue.start();
  while (queue.waiting) await new Promise((done) => setTimeout(done, 1));
  assert.deepEqual(got, ['b live 2', 'c live 1', 'b media', 'c media']);
  for (let i = 0; i < 5000; i++) queue.add({ camera: 'b', name: i }, false);
  assert.ok(queue.waiting <= 1500);
  queue.close();
});

test('words', () => {
  assert.deepEqual([-500, 0, 440, 9940, 9960, 59999, 60000, 7.3e6, 86400000, 3 * 86400000].map(ago),
    ['0.0 s ago', '0.0 s ago', '0.4 s ago', '9.9 s ago', '9 s ago', '59 s ago', '1 min ago', '2 h ago', '1 day ago', '3 days ago']);
  assert.deepEqual([400, 59400, 60000, 65000, 3600000, 5400000].map(length), ['0 s', '59 s', '1 min', '1 min 5 s', '1 h', '1 h 30 min']);
  assert.deepEqual([['a'], ['a', 'b'], ['a', 'b', 'c']].map(list), ['a', 'a and b', 'a, b and c']);
  assert.deepEqual([0, 999, 1000, 98300, 1.5e6, 3e9].map(bytes), ['0 B', '999 B', '1.0 kB', '98 kB', '1.5 MB', '3.0 GB'].map((s) => s.replace(' ', '\u00a0')));
  const noon = new Date(2026, 10, 22, 12).getTime();
  assert.deepEqual([noon, noon - 86400000, noon - 2 * 86400000].map((t) => day(t, noon)), ['Today', 'Yesterday', 'Friday 20 November']);
});

let serial = 0;
function verified(camera, taken, meta = {}) {
  serial++;
  return { camera, taken, size: 1000, hash: `h${serial}`, drawable: true, meta: { kind: 'snapshot', cause: 'motion', light: 'day', event: 0, boot: '01', seq: serial, labels: [], ...meta } };
}

test('pictures of one event are one event, of two boots or cameras they are not', () => {
  const m = new Model(), t = Date.now() - 3600000;
  const a = verified('b', t, { event: 4 });
  m.add(a);
  m.add(verified('b', t + 7000, { event: 4, labels: [{ name: 'person' }] }));
  m.add(a); // drawn again after a reload
  m.add(verified('b', t, { event: 4, boot: '02' }));
  m.add(verified('c', t, { event: 4 }));
  m.add(verified('b', t, { event: 0 }));
  m.add(verified('b', t, { event: 0 }));
  assert.equal(m.events.length, 5);
  const e = m.events.find((x) => x.pictures.length === 2);
  assert.deepEqual([e.end - e.start, e.labels], [7000, ['person']]);
});

test('what is remembered is bounded', () => {
  const m = new Model(), t = Date.now();
  m.camera('b');
  for (let i = 0; i < maxEvents + 50; i++) m.add(verified('b', t + i, { event: i + 1 }));
  assert.equal(m.events.length, maxEvents);
  assert.equal(m.events[0].start, t + maxEvents + 49, 'the newest stay');
  for (let i = 0; i < maxRefusals + 50; i++) m.refuse({ camera: 'b', kind: 'live', reason: 'replayed', received: t + i * 3600000 });
  assert.equal(m.refusals.length, maxRefusals);
  const big = new Model();
  for (let i = 0; i < 30; i++) big.add({ ...verified('b', t + i, { event: i + 1 }), size: 8 << 20 });
  assert.ok(big.events.length <= 20 && big.events[0].start === t + 29);
});

test('refusals of one reason in a row are one line with a count', () => {
  const m = new Model();
  for (const [reason, at] of [['wrong camera', 0], ['wrong camera', 1000], ['wrong camera', 2000], ['stale', 3000], ['wrong camera', 4000], ['wrong camera', 400000]]) {
    m.refuse({ camera: 'b', kind: 'live', reason, received: at });
  }
  assert.deepEqual(m.refusals.map((r) => [r.reason, r.count]), [['wrong camera', 1], ['wrong camera', 1], ['stale', 1], ['wrong camera', 3]]);
  assert.equal(m.refused, 6);
});

test('days: events, gaps with their count, and the night between two pictures of it', () => {
  const m = new Model(), now = new Date(2026, 10, 22, 12).getTime(), midnight = startOfDay(now), hour = 3600000;
  m.household([{ id: 'b', name: 'Door' }]);
  m.add(verified('b', midnight - 2 * hour, { event: 1, light: 'night' }));
  m.add(verified('b', midnight + 5 * hour, { event: 2, light: 'night' }));
  m.add(verified('b', midnight + 6 * hour, { event: 3, light: 'day' }));
  m.gaps('b', [{ first: 5, last: 7, after: midnight + 7 * hour, before: midnight + 8 * hour, lost: false }]);
  const [today, yesterday] = m.days(now);
  assert.deepEqual([today.events.length, yesterday.events.length], [2, 1]);
  assert.deepEqual(today.gaps.map((g) => g.count), [3]);
  assert.deepEqual(today.nights, [{ from: midnight, to: midnight + 6 * hour }]);
  assert.deepEqual(yesterday.nights, [{ from: midnight - 2 * hour, to: midnight }]);
  assert.deepEqual(m.rows().map((r) => r.type), ['gap', 'event', 'event', 'event']);
  assert.deepEqual(m.rows('c'), []);
});

test('a camera that fell silent at night is not taken to be in the night still', () => {
  const m = new Model(), now = new Date(2026, 10, 22, 18).getTime(), midnight = startOfDay(now);
  m.camera('b');
  m.add(verified('b', midnight + 3600000, { event: 1, light: 'night' }));
  assert.deepEqual(m.days(now)[0].nights, []);
});

test('merge joins what touches', () => {
  assert.deepEqual(merge([{ from: 5, to: 9 }, { from: 1, to: 3 }, { from: 3, to: 4 }, { from: 6, to: 7 }]), [{ from: 1, to: 4 }, { from: 5, to: 9 }]);
});

test('privacy is a band, from when it was closed to when it was opened', () => {
  const m = new Model(), now = new Date(2026, 10, 22, 12).getTime(), midnight = startOfDay(now), hour = 3600000;
  m.camera('b');
  const say = (at, says) => m.status({ camera: 'b', taken: at }, { closed: null, opened: 0, ...says });
  say(midnight - 3 * hour, { closed: { since: midnight - 4 * hour, until: 0 } });
  say(midnight + hour, {});
  say(midnight, { closed: { since: midnight - 9 * hour, until: 0 } }); // late: of before
  say(midnight + 3 * hour, { opened: midnight + 2 * hour }); // the page was not there when it was closed
  say(midnight + 10 * hour, { closed: { since: 0, until: midnight + 11 * hour } });
  const [today, yesterday] = m.days(now);
  assert.deepEqual(yesterday, undefined, 'a day on which nothing else happened is not listed');
  assert.deepEqual(today.bands, [{ from: midnight, to: midnight + hour }, { from: midnight + 2 * hour, to: midnight + 3 * hour }, { from: midnight + 10 * hour, to: midnight + 11 * hour }]);
});

test('a gap that closes is told with what came late, and one that was lost is not', () => {
  const m = new Model(), t = Date.now(), gap = (first, last, lost = false) => ({ first, last, lost, after: t - 9, before: t - 1 });
  m.camera('b');
  m.gaps('b', [gap(5, 9), gap(20, 21)], t, false);
  m.gaps('b', [gap(7, 7), gap(20, 21)], t, false); // a part of it came
  assert.deepEqual(m.closed, []);
  m.gaps('b', [gap(7, 7, true), gap(20, 21)], t + 1, false);
  assert.deepEqual(m.closed.map((x) => [x.count, x.camera]), [[4, 'b']]);
  m.gaps('b', [gap(7, 7, true), gap(20, 21, true)], t + 2, false);
  assert.deepEqual(m.closed.map((x) => x.count), [4], 'what will never come did not arrive late');
  m.gaps('b', [gap(30, 31)], t + 3, false);
  m.gaps('b', [], t + 4, false);
  assert.deepEqual(m.closed.map((x) => x.count), [6], 'one line for what happens within a minute');
  m.gaps('b', [gap(40, 41)], t, true);
  m.gaps('b', [], t, true);
  assert.equal(m.closed[0].count, 6, 'what came before the page was there is no news');
  assert.deepEqual(m.rows().map((r) => r.type), ['closed']);
});

test('the sentence at the top: the worst comes first, and all is well only when it is', () => {
  const tile = (state, label) => ({ state, label, last: { taken: 0 }, refusal: { person: 'This picture is from another camera' } });
  const app = (...tiles) => ({ failure: '', keyed: true, ready: true, tiles: new Map(tiles.map((t, i) => [i, t])), unreached: () => '', server: { up: true }, broker: { up: true } });
  const title = (a) => headline(a).title;
  assert.equal(title(app(tile('live', 'A'), tile('live', 'B'))), 'All is well');
  assert.equal(title(app(tile('live', 'A'), tile('ageing', 'B'))), 'A moment old');
  assert.equal(title(app(tile('live', 'A'), tile('waiting', 'B'))), 'Waiting for some');
  assert.equal(title(app(tile('ageing', 'A'), tile('stale', 'B'))), 'No fresh picture');
  assert.equal(title(app(tile('stale', 'A'), tile('refused', 'B'))), 'B: refused');
  assert.equal(title(app()), 'No camera yet');
  assert.match(title({ ...app(tile('live', 'A')), unreached: () => 'cut' }), /^Not connected/);
  assert.equal(title({ ...app(tile('live', 'A')), keyed: false }), 'This browser has no key');
  assert.equal(title({ ...app(tile('live', 'A')), failure: 'x' }), 'Pictures cannot be checked here');
  assert.notEqual(headline(app(tile('live', 'A'), tile('refused', 'B'))).mood, 'well');
  assert.equal(MEDIA, 4);
});
