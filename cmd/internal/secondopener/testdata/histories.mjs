// Lives through histories that histories_test.go wrote, one a line: what arrives
// at a viewer, in order, and what came of each message at the other opener.
// histories.mjs FILE

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as key from './key.mjs';
import { Opener } from './opener.mjs';
import { Refusal } from './refusal.mjs';
import * as roster from './roster.mjs';

const bytes = (base64) => new Uint8Array(Buffer.from(base64, 'base64'));
const FLAGS = ['alarm', 'behind', 'ahead', 'duplicate', 'fresh', 'late'];

async function live(history) {
  let now;
  const { identity } = await key.parse(history.viewer);
  const opener = new Opener({ household: history.household, roster: await roster.open(history.household, bytes(history.roster)), identity, now: () => now });
  for (const [i, d] of history.deliveries.entries()) {
    now = d.now;
    let got;
    try {
      got = { verdict: 'verified', ...await opener.open(history.camera, bytes(d.sealed)) };
    } catch (err) {
      if (!(err instanceof Refusal)) throw err;
      got = { verdict: err.reason, ...err };
    }
    const flags = FLAGS.filter((f) => got[f]).sort();
    const gaps = opener.gaps(history.camera).map((g) => `${g.first}-${g.last}${g.lost ? '!' : ''}`);
    assert.deepEqual([got.verdict, flags, gaps], [d.expect, d.flags, d.gaps], `delivery ${i} (${d.comment})`);
  }
  return history.deliveries.length;
}

let deliveries = 0, failed = 0;
for (const [i, line] of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean).entries()) {
  try {
    deliveries += await live(JSON.parse(line));
  } catch (err) {
    failed++;
    console.log(`NOT OK history ${i}: ${err.stack}`);
  }
}
console.log(`${deliveries} deliveries agree, ${failed} histories do not`);
process.exitCode = failed || !deliveries ? 1 : 0;
