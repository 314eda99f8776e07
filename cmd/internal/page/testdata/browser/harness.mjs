// The browser, and what every step needs: a new household with its page open,
// what its cameras and broker do on request, waiting, and looking.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.env.SEALCAM_MODULES, 'here.js'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const settings = JSON.parse(process.env.SEALCAM_PAGE_TEST);

const desktop = { width: 1440, height: 900 }, phone = { width: 360, height: 740 };
const patience = 60000;

export const context = await chromium.launchPersistentContext(settings.profile, {
  executablePath: settings.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  viewport: desktop, colorScheme: 'dark', locale: 'en-GB', reducedMotion: 'reduce', timeout: 60000,
});
context.setDefaultTimeout(patience);

// What no step may cause: a request elsewhere, an error in the console, a
// violation of the policy, an object URL that outlives its picture.
export const trouble = [];
let allowed = () => false;

// allow says which errors a step means to cause.
export function allow(which = () => false) { allowed = which; }

await context.addInitScript(() => {
  globalThis.urls = new Set();
  const { now } = Date;
  globalThis.ahead = 0;
  Date.now = () => now() + globalThis.ahead;
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (b) => { const u = createObjectURL.call(URL, b); globalThis.urls.add(u); return u; };
  URL.revokeObjectURL = (u) => { globalThis.urls.delete(u); revokeObjectURL.call(URL, u); };
  addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`));
});

async function post(what, params, body) {
  const answer = await fetch(`${settings.control}/${what}?${new URLSearchParams(params)}`, { method: 'POST', body });
  const text = await answer.text();
  assert.ok(answer.ok, `${what}: ${text}`);
  return text ? JSON.parse(text) : null;
}
export const act = (what, camera = 0) => post('do', { what, camera });

// published is a picture and its proof, as sealcam export writes them.
export async function published() {
  const { media, proof: claims } = await post('published');
  return { media: { name: 'door.jpg', data: media }, proof: { name: 'door.jpg.proof', data: claims } };
}

// judge has a film and its proof (both Buffer) checked as sealcam verify does.
export const judge = (film, proof) => post('film', {}, JSON.stringify({ film: film.toString('base64'), proof: proof.toString('base64') }));

// save presses a button that saves a file, and returns its name and bytes.
export async function save(button) {
  const [file] = await Promise.all([page.waitForEvent('download'), button.click()]);
  return { name: file.suggestedFilename(), data: readFileSync(await file.path()) };
}

export let page, world;

// open makes a household with these cameras and opens its page.
export async function open(cameras, { wasm = true, owner = false } = {}) {
  await page?.close();
  world = await post('world', cameras.map((c) => ['camera', c]));
  const origin = new URL(world.link).origin;
  page = await context.newPage();
  page.on('request', (r) => { const u = new URL(r.url()); if (u.origin !== origin && u.protocol !== 'blob:') trouble.push(`request to ${r.url()}`); });
  page.on('console', (m) => { if (m.type() === 'error' && !allowed(m.text())) trouble.push(`console: ${m.text()}`); });
  page.on('pageerror', (e) => trouble.push(`error: ${e.stack}`));
  if (wasm) await act('open');
  await page.goto(world.link + (owner ? `&p=${encodeURIComponent(owner === true ? settings.owner : owner)}` : ''));
}

export const proof = () => page.locator('dialog#proof');

// drop drops files ({name, data: base64}) on the page, as a person does.
export const drop = (...files) => page.evaluate((list) => {
  const carried = new DataTransfer();
  for (const { name, data } of list) carried.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
  document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true }));
}, files);

// pick is a file for an <input>.
export const pick = ({ name, data }) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(data, 'base64') });

// spoil changes one byte in the middle.
export function spoil(data) {
  const b = Buffer.from(data, 'base64');
  b[b.length >> 1] ^= 1;
  return b.toString('base64');
}

export const tile = (i = 0) => page.locator(`.tile[data-camera="${world.cameras[i]}"]`);
export const state = (i, name) => page.locator(`.tile[data-camera="${world.cameras[i]}"][data-state="${name}"]`).waitFor();
export const title = (text) => page.getByRole('heading', { level: 1, name: text }).waitFor();
export const until = async (what, check) => {
  const end = Date.now() + patience;
  for (;;) {
    if (await check()) return;
    if (Date.now() > end) assert.fail(`waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
};

// ahead puts the page's clock ahead, so that nobody has to wait while a picture
// ages; the camera's, the server's and the worker's stay where they are.
export const ahead = (ms) => page.evaluate((by) => { globalThis.ahead = by; }, ms);

// shoot leaves a picture of the state in both sizes, one in each scheme (in both
// of them for make screenshots), and checks that nothing is cut off sideways.
export async function shoot(name, { full = false } = {}) {
  for (const [size, viewport, scheme] of [['desktop', desktop, 'dark'], ['360', phone, 'light']]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of settings.all ? ['dark', 'light'] : [scheme]) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: path.join(settings.shots, `${name}-${size}-${colorScheme}.png`), fullPage: full && size === '360', animations: 'disabled' });
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${name} at ${size}: ${over} pixels wider than the window`);
  }
  await page.setViewportSize(desktop);
  await page.emulateMedia({ colorScheme: 'dark' });
}

// happen lets a past happen, and waits until all its events are listed.
export async function happen() {
  const { events } = await act('history');
  await until('all events', async () => (await page.locator('.event').count()) === events);
}

// pictured waits until the thumbnails in sight are drawn.
export const pictured = () => until('thumbnails', () => page.evaluate(() => [...document.querySelectorAll('.event canvas')].slice(0, 6).every((c) => c.getContext('2d').getImageData(5, 5, 1, 1).data[3] === 255)));

// readable asks axe for what people with other eyes, ears or hands would miss: all
// of it in one scheme, and in the other what depends on colours.
export async function readable(name) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  const all = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }, colours = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };
  for (const [colorScheme, runOnly, least] of [['dark', all, 10], ['light', colours, 1]]) {
    await page.emulateMedia({ colorScheme });
    const { found, passes } = await page.evaluate(async (rules) => {
      const { violations, passes } = await globalThis.axe.run(document, { runOnly: rules, resultTypes: ['violations'] });
      return { passes: passes.length, found: violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? '')).join(' | ')}`) };
    }, runOnly);
    assert.ok(passes >= least, 'axe looked');
    assert.deepEqual(found, [], `${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'dark' });
}
