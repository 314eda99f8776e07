// Runs the vectors in headless Chromium: vectors_chromium.mjs URL, where the
// site of vectors_test.go is served.

import { createRequire } from 'node:module';
import path from 'node:path';

const [, , url, executablePath] = process.argv;
const require = createRequire(path.join(process.env.SEALCAM_MODULES, 'here.js'));
const { chromium } = require('playwright-core');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'], timeout: 120000 });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(300000);
  page.on('pageerror', (e) => console.error(e.stack));
  page.on('console', (m) => { if (m.type() === 'error') console.error(m.text()); });
  await page.goto(url);
  const result = await page.evaluate(async () => {
    const { run, runAll } = await import('./vectors.mjs');
    await import('./wasm_exec.js');
    const start = async (wasm) => {
      const go = new Go();
      const { instance } = await WebAssembly.instantiateStreaming(fetch(wasm), go.importObject);
      go.run(instance);
    };
    const files = await (await fetch('vectors.json')).json();
    await start('seal.wasm');
    await start('all.wasm');
    return { agent: navigator.userAgent, page: await run(globalThis.sealcam, files), all: runAll(globalThis.sealcamVector, files) };
  });
  console.log(JSON.stringify(result));
} finally {
  await browser.close();
}
