// SPEC.md section 8: what a viewer remembers of a camera. place judges where a
// message stands and returns how to record it; until that is called nothing is
// remembered.

import { same } from './cbor.mjs';
import { DURABLE, LIVE, RECORDING, VIEW } from './message.mjs';
import { broken, refuse } from './refusal.mjs';

const BOOTS = 16, HASHES = 128, LATELY = 32, GAPS = 64, WILLS = 16;
const known = (h) => h !== undefined && h.some((x) => x !== 0);
const newest = (list, n) => list.slice(-n);
const alarm = (detail) => broken(detail, { alarm: true });

// Head is the highest message of a stream, the boots before it, and the newest hashes.
class Head {
  boots = []; hashes = [];

  constructor(most) { this.most = most; }

  known(m) { return this.hashes.find((x) => x.seq === m.seq); }

  // setBack is rule 3: a higher number from an earlier life.
  setBack(m) {
    if (m.roster < this.roster) alarm('a higher number under a lower roster');
    if (this.boots.some((b) => same(b, m.boot))) alarm('a higher number of a boot before');
  }

  record(m) {
    this.hashes = newest([...this.hashes, { seq: m.seq, hash: m.hash }].sort((a, b) => a.seq - b.seq), this.most);
    if (this.seq !== undefined && m.seq < this.seq) return;
    if (this.boot && !same(this.boot, m.boot)) this.boots = newest([...this.boots, this.boot], BOOTS);
    Object.assign(this, { seq: m.seq, hash: m.hash, boot: m.boot, roster: m.roster });
  }
}

export class Memory {
  durable = new Head(HASHES); live = new Head(LATELY); view = new Head(LATELY); wills = []; gaps = []; floor = 0;

  place(m) {
    if (m.stream === RECORDING) refuse('replayed', 'a part of a recording is no news');
    if (m.stream === DURABLE) return this.placeDurable(m);
    if (m.stream === LIVE || m.stream === VIEW) return this.placeNewest(m, m.stream === LIVE ? this.live : this.view);
    return this.placeWill(m);
  }

  placeDurable(m) {
    const d = this.durable;
    if (d.seq === undefined) return { record: () => this.first(m) };
    const before = d.known(m);
    if (before) same(before.hash, m.hash) ? refuse('replayed', 'again', { duplicate: true }) : alarm('two messages of one number');
    if (m.seq === d.seq + 1 && !same(m.prev, d.hash)) alarm('the next one names another before it');
    if (m.seq > d.seq) {
      d.setBack(m);
      return { record: () => this.next(m) };
    }
    const gap = this.gaps.find((g) => g.first <= m.seq && m.seq <= g.last);
    if (!gap) refuse('replayed', 'an old number that is not missing');
    if (m.seq === gap.first && gap.after && !same(gap.after, m.prev)) alarm('a late one names another before it');
    if (m.seq === gap.last && gap.before && !same(gap.before, m.hash)) alarm('a late one is not the one that was named');
    return { late: true, record: () => this.late(m, gap) };
  }

  first(m) {
    if (m.seq > 1) this.gaps.push({ first: 1, last: m.seq - 1, before: known(m.prev) ? m.prev : undefined, history: true });
    this.durable.record(m);
  }

  next(m) {
    const d = this.durable;
    if (m.seq > d.seq + 1 && !same(m.prev, d.hash)) this.gaps.push({ first: d.seq + 1, last: m.seq - 1, after: d.hash, before: known(m.prev) ? m.prev : undefined });
    d.record(m);
    this.bound();
  }

  late(m, gap) {
    const parts = [];
    if (m.seq > gap.first && !(known(m.prev) && gap.after && same(m.prev, gap.after))) parts.push({ ...gap, last: m.seq - 1, before: known(m.prev) ? m.prev : undefined });
    if (m.seq < gap.last && !(gap.before && same(m.hash, gap.before))) parts.push({ ...gap, first: m.seq + 1, after: m.hash });
    this.gaps.splice(this.gaps.indexOf(gap), 1, ...parts);
    this.durable.record(m);
    this.bound();
  }

  // lose marks what a gap record confesses.
  lose(ranges) {
    for (const [first, last] of ranges) this.gaps = this.gaps.flatMap((g) => split(g, first, last));
    this.bound();
  }

  bound() {
    while (this.gaps.length > GAPS) {
      const lost = this.gaps.findIndex((g) => g.lost);
      const [dropped] = this.gaps.splice(Math.max(lost, 0), 1);
      if (lost < 0) this.floor = dropped.last;
    }
  }

  placeNewest(m, l) {
    if (l.seq === undefined) return { record: () => l.record(m) };
    const before = l.known(m);
    if (before && !same(before.hash, m.hash)) alarm('two messages of one number');
    if (m.seq <= l.seq) refuse('replayed', 'not the newest', { duplicate: m.seq === l.seq && before !== undefined });
    l.setBack(m);
    return { record: () => l.record(m) };
  }

  placeWill(m) {
    if (this.wills.some((w) => same(w.hash, m.hash))) refuse('replayed', 'again', { duplicate: true });
    if (this.wills.some((w) => same(w.boot, m.boot) && m.seq < w.seq)) refuse('replayed', 'a will before another');
    for (const s of [this.durable, this.live]) if (s.boots.some((b) => same(b, m.boot))) refuse('replayed', 'a will of a boot before');
    return { record: () => { this.wills = newest([...this.wills, m], WILLS); } };
  }
}

// split cuts first..last out of a gap, as lost.
function split(g, first, last) {
  if (g.lost || last < g.first || g.last < first) return [g];
  const parts = [];
  const lost = { ...g, first: Math.max(first, g.first), last: Math.min(last, g.last), lost: true };
  if (g.first < lost.first) { parts.push({ ...g, last: lost.first - 1, before: undefined }); lost.after = undefined; }
  parts.push(lost);
  if (lost.last < g.last) { parts.push({ ...g, first: lost.last + 1, after: undefined }); lost.before = undefined; }
  return parts;
}
