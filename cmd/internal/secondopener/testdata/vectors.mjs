// Runs every published vector of uplink/seal: vectors.mjs DIRECTORY. It prints
// what disagrees, then the counts, and fails if anything did.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Guard } from './command.mjs';
import { sha256 } from './cose.mjs';
import * as hello from './hello.mjs';
import * as key from './key.mjs';
import { peek } from './message.mjs';
import { Opener } from './opener.mjs';
import * as proof from './proof.mjs';
import { Refusal } from './refusal.mjs';
import * as roster from './roster.mjs';
import * as service from './service.mjs';

const bytes = (base64) => new Uint8Array(Buffer.from(base64, 'base64'));
const hex = (b) => Buffer.from(b).toString('hex');
const unhex = (s) => new Uint8Array(Buffer.from(s, 'hex'));
const words = (s) => s.split(' ').filter(Boolean).sort();
const micros = (stamp) => stamp && Date.parse(stamp) * 1000;

function parse(file) {
  const [header, body] = file.split('\n\n');
  const v = { before: [], flags: '', gaps: '' };
  for (const line of header.split('\n')) {
    const at = line.indexOf(': '), name = line.slice(0, at), value = line.slice(at + 2);
    name === 'before' ? v.before.push(bytes(value)) : v[name] = value;
  }
  return { ...v, body: bytes(body ?? '') };
}

const ops = {
  async open(v, verb = 'open') {
    const opener = await viewer(v);
    if (v.asked) {
      opener.now = () => micros(v['asked-at']);
      opener.ask(v.camera, unhex(v.asked), v.watched === 'yes');
    }
    opener.now = () => micros(v.now);
    for (const b of v.before) await opener.open(v.camera, b);
    const gaps = () => opener.gaps(v.camera).map((g) => `${g.first}-${g.last}${g.lost ? '!' : ''}`).join(' ');
    try {
      return { ...await opener[verb](v.camera, v.body), gaps: gaps() };
    } catch (err) {
      throw Object.assign(err, { gaps: gaps() });
    }
  },
  async recall(v) { return ops.open(v, 'recall'); },
  async check(v) { return (await viewer(v)).check(v.camera, v.body); },
  async peek(v) { return { ...await peek(v.body), media: undefined }; },
  async proof(v) { return proof.check(v.body, bytes(v.published)); },
  async roster(v) {
    const older = v.roster && await roster.open(v.household, bytes(v.roster));
    const next = await roster.open(v.household, v.body);
    if (older) roster.replace(older, next);
    return {};
  },
  async command(v) {
    const guard = new Guard({ camera: v.camera, roster: await roster.open(v.household, bytes(v.roster)), now: () => micros(v.now) });
    for (const b of v.before) await guard.accept(b, false);
    await guard.accept(v.body, v.retained === 'yes');
    return {};
  },
  async pass(v) { await service.pass(await listed(v), v.body, micros(v.now)); return {}; },
  async deletion(v) { await service.deletion(await listed(v), v.body); return {}; },
  async deleted(v) { await service.deleted(await listed(v), v.body); return {}; },
  async settings(v) { await service.settings(await listed(v), v.camera, v.body); return {}; },
  async hello(v) { await hello.open(v.body, v.secret && unhex(v.secret)); return {}; },
};

const listed = (v) => roster.open(v.household, bytes(v.roster));

async function viewer(v) {
  const { identity } = await key.parse(v.viewer);
  assert.equal(identity, v['age-identity'], 'the identity in the viewer key');
  return new Opener({ household: v.household, roster: await roster.open(v.household, bytes(v.roster)), identity, now: () => micros(v.now) });
}

async function run(v) {
  let got;
  try {
    got = { verdict: 'verified', ...await ops[v.op](v) };
  } catch (err) {
    if (!(err instanceof Refusal)) throw err;
    got = { verdict: err.reason, alarm: err.alarm, duplicate: err.duplicate, gaps: err.gaps, detail: err.message };
  }
  assert.equal(got.verdict, v.expect, got.detail);
  assert.deepEqual(['fresh', 'late', 'behind', 'ahead', 'duplicate', 'alarm'].filter((f) => got[f]).sort(), words(v.flags), 'flags');
  if (v.op === 'open' || v.op === 'recall') assert.equal(got.gaps, v.gaps, 'gaps');
  if (v.media) assert.equal(hex(await sha256(got.media)), v.media, 'media');
}

const [, , dir] = process.argv;
let passed = 0, failed = 0;
for (const name of readdirSync(dir).sort()) {
  if (name === 'README.md') continue;
  const v = parse(readFileSync(path.join(dir, name), 'latin1'));
  try {
    await run(v);
    passed++;
  } catch (err) {
    failed++;
    console.log(`NOT OK ${name} (${v.comment}): ${err.stack}`);
  }
}
console.log(`${passed} vectors agree, ${failed} do not`);
process.exitCode = failed || passed < 300 ? 1 : 0;
