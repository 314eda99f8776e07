// Tests of clips: which parts make one, what is missing in it, and where its frames are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, Clip, delivery, frameAt } from './web/clip.js';
import { Model } from './web/model.js';
import { stamp } from './web/words.js';

const zero = 1700000000000;

// part is a verified part of a second, with four frames.
function part(n, { seq = 100 + n, start = n, end = start + 1, last = false, format = 'f', hash = `h${n}/${seq}`, size = 1000, error, ...more } = {}) {
  const frames = new Float64Array([0, 1, 2, 3].flatMap((i) => [start + (i * (end - start)) / 4, 700 + 50 * i, 50]));
  return {
    camera: 'b', hash, size, taken: zero + start * 1000, received: zero, drawable: false, late: false,
    meta: { kind: 'clip', stream: 'durable', cause: 'motion', light: 'day', event: 7, boot: '01', seq, part: n, last, labels: [], preRoll: 1500, ended: '', clock: 'ntp', ...more },
    film: error ? { error } : { format, start, end, frames, stills: true, codec: 'mp4v.6c' },
  };
}

const clipOf = (...parts) => {
  const c = new Clip();
  for (const p of parts) assert.equal(c.add(p), '');
  return c;
};
const kinds = (c) => c.segments().map((s) => s.kind).join(' ');

test('parts in any order are one clip', () => {
  const c = clipOf(part(2, { last: true }), part(0), part(1));
  assert.ok(c.whole);
  assert.deepEqual(c.segments().map((s) => [s.kind, s.n, s.from, s.to]), [['part', 0, 0, 1], ['part', 1, 1, 2], ['part', 2, 2, 3]]);
  assert.deepEqual([c.zero, c.start, c.end, c.preRoll, c.length], [zero, zero + 1500, zero + 3000, 1.5, 3]);
  assert.equal(delivery(c), 'clip whole, 3 parts');
  assert.equal(c.stops().length, 12);
});

test('what does not belong is left out, by name, and changes nothing', () => {
  const c = clipOf(part(0), part(1), part(3, { last: true }));
  for (const [p, why] of [
    [part(1, { hash: 'other' }), /number is taken/],
    [part(4), /behind the last/],
    [part(1e6), /behind the last/],
    [part(2, { format: 'g' }), /another format/],
    [part(2, { error: 'no MP4' }), /no MP4/],
    [part(2, { start: 0.5 }), /runs into that of part/],
    [part(2, { start: 1.5 }), /runs into that of part 2/],
    [part(2, { end: 3.5 }), /runs into that of part 4/],
    [part(2, { start: 9 }), /runs into that of part/],
    [part(2, { seq: 90 }), /was sealed before part 1/],
    [part(2, { seq: 200 }), /was sealed after part 4/],
    [part(2, { last: true }), /says it is the last, and part 4 is here/],
  ]) {
    assert.match(c.add(p), why);
    assert.deepEqual(c.numbers, [0, 1, 3]);
  }
  assert.equal(c.add(part(2)), '');
  assert.ok(c.whole);
});

test('a part that comes again changes nothing, and is noted', () => {
  const c = clipOf(part(0), part(0));
  c.again(0);
  c.again(5);
  assert.deepEqual([...c.doubled], [[0, 1]]);
});

test('a hole takes its time, and says what became of it', () => {
  const refused = new Map(), c = new Clip(refused);
  for (const p of [part(1), part(5, { last: true })]) c.add(p);
  assert.deepEqual(c.segments().map((s) => [s.kind, s.n, s.from, s.to]), [['hole', 0, 0, 1], ['part', 1, 1, 2], ['hole', 2, 2, 3], ['hole', 3, 3, 4], ['hole', 4, 4, 5], ['part', 5, 5, 6]]);
  assert.equal(delivery(c), 'clip 2 of 6 parts here, 4 on their way');
  c.takeGaps([{ first: 102, last: 102, lost: true }, { first: 104, last: 104, lost: false }]);
  refused.set(103, { reason: 'broken seal' });
  assert.equal(kinds(c), 'hole part lost refused hole part');
  assert.equal(delivery(c), 'clip 2 of 6 parts here, 2 on their way, 1 refused, 1 will never come');
  assert.deepEqual(c.stops().slice(0, 2), [0, 1], 'a step goes to a hole, and on');
});

test('where other messages lie between, a refusal is still placed', () => {
  const refused = new Map([[103, { reason: 'x' }], [300, { reason: 'elsewhere' }]]), c = new Clip(refused);
  for (const p of [part(0), part(2, { seq: 106 })]) c.add(p);
  assert.equal(kinds(c), 'part refused part');
});

test('a camera that gave no pictures for a while leaves a pause', () => {
  const c = clipOf(part(0), part(1, { start: 3, last: true }));
  assert.deepEqual(c.segments().map((s) => [s.kind, s.from, s.to]), [['part', 0, 1], ['pause', 1, 3], ['part', 3, 4]]);
});

test('every time has its frame and its segment', () => {
  const { film } = part(1), c = clipOf(part(0), part(1));
  assert.deepEqual([0, 1, 1.1, 1.25, 1.26, 1.9999, 2, 99].map((t) => frameAt(film, t)), [0, 0, 0, 1, 1, 3, 3, 3]);
  assert.deepEqual([0, 0.99, 1, 1.5, 2, 50].map((t) => at(c.segments(), t).n), [0, 0, 1, 1, 1, 1]);
  assert.deepEqual([0, 3.2, 59.96, 60, 671.25].map(stamp), ['0:00.0', '0:03.2', '0:59.9', '1:00.0', '11:11.2']);
});

test('an event has one clip, begins behind its pre-roll, and a strange part is a refusal', () => {
  const m = new Model();
  m.camera('b');
  const e = m.add(part(0));
  assert.equal(m.add(part(1)), e);
  assert.equal(m.add(part(1)), e, 'again');
  assert.deepEqual([e.start - zero, e.end - zero, e.pictures.length, e.clip.parts.size], [1500, 2000, 0, 2]);
  assert.equal(m.add(part(1, { hash: 'other', seq: 300 })), null);
  assert.deepEqual(m.refusals.map((r) => [r.kind, r.person]), [['clip', 'Part 2 is no part of its clip: its number is taken by another part']]);
  assert.notEqual(m.add(part(0, { boot: '02' })), e, 'of another start of the camera');
});

test('memory is bounded: old clips go first, which is said, and the one on screen stays', () => {
  const m = new Model(), size = 8 << 20;
  m.camera('b');
  for (let i = 0; i < 60; i++) {
    m.held = 'b/01/1'; // the oldest
    m.add({ ...part(i % 3, { seq: 100 + i, event: 1 + Math.floor(i / 3), size }), taken: zero + i * 60000 });
  }
  const here = m.events.filter((e) => e.clip.parts.size), gone = m.events.filter((e) => !e.clip.parts.size);
  assert.equal(m.events.length, 20, 'events stay, their clips go');
  assert.ok(here.reduce((n, e) => n + e.clip.size, 0) <= 160 << 20);
  assert.ok(here.some((e) => e.key === 'b/01/1') && gone.length > 10);
  assert.equal(delivery(gone[0].clip), 'clip of 3 parts, not here any more');
});
