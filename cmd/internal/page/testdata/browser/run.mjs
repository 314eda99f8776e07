// Drives the page in headless Chromium through every step. browser_test.go starts
// it and decides, on request, what the cameras and the broker do.

import assert from 'node:assert/strict';
import path from 'node:path';
import { context, page, settings, trouble } from './harness.mjs';
import { steps } from './steps.mjs';
import { clipSteps } from './steps_clip.mjs';

let failed = 0, passed = 0;
for (const [name, step] of Object.entries({ ...steps, ...clipSteps })) {
  if (!new RegExp(process.env.SEALCAM_ONLY).test(name)) continue;
  const start = Date.now();
  try {
    await step();
    assert.deepEqual(trouble.splice(0), [], 'nothing goes elsewhere, nothing complains');
    passed++;
    console.log(`ok ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  } catch (err) {
    failed++;
    console.log(`NOT OK ${name}: ${err.stack ?? err}`);
    console.log(trouble.splice(0).join('\n'));
    await page?.screenshot({ path: path.join(settings.shots, `failed-${failed}.png`) }).catch(() => null);
    console.log(await page?.locator('body').innerText().catch(() => ''));
  }
}
await context.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;
