// Runs the vectors in node: vectors_node.mjs SITE, where SITE holds what
// Chromium gets, see vectors_test.go.

import { readFileSync } from 'node:fs';
import path from 'node:path';

const [, , site] = process.argv;
const read = (name) => readFileSync(path.join(site, name));
const { run, runAll } = await import(path.join(site, 'vectors.mjs'));
await import(path.join(site, 'wasm_exec.js'));

async function start(wasm) {
  const go = new globalThis.Go();
  const { instance } = await WebAssembly.instantiate(read(wasm), go.importObject);
  go.run(instance);
}
const files = JSON.parse(read('vectors.json'));
await start('seal.wasm');
await start('all.wasm');
console.log(JSON.stringify({ page: await run(globalThis.sealcam, files), all: runAll(globalThis.sealcamVector, files) }));
process.exit(0);
