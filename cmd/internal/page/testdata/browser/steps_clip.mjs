// Clips: what a person sees of one that is whole, of one that is not, and of one
// that this browser cannot play.

import assert from 'node:assert/strict';
import { act, drop, judge, open, page, proof, readable, save, shoot, title, until } from './harness.mjs';

const big = () => page.getByRole('dialog');
const player = () => page.locator('.player');
const bar = () => player().getByRole('slider');
const verdict = () => player().locator('.verdict').innerText();
const kinds = () => player().locator('.verdicts i').evaluateAll((all) => all.map((e) => e.dataset.kind));
const at = async () => Number(await bar().inputValue());
const event = (i = 0) => page.locator('.event').nth(i);

// hash sums up what is on the stage, to see whether it changed.
const painted = () => player().locator('canvas.film').evaluate((c) => {
  const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
  let h = 0;
  for (let i = 0; i < data.length; i += 4) h = (h * 31 + data[i] + 7 * data[i + 1]) >>> 0;
  return h;
});

const seek = async (t) => {
  await bar().evaluate((e, v) => { e.value = String(v); e.dispatchEvent(new Event('input', { bubbles: true })); }, t);
};

const kept = {}; // what was saved, for the steps behind

export const clipSteps = {
  async 'a clip that is whole: its card, its parts, its frames'() {
    await open(['Front door']);
    await act('clip');
    await act('live');
    await until('the card says that all is here', async () => /^1 picture, clip whole, 8 parts · /.test(await event().locator('.delivery').innerText().catch(() => '')));
    assert.match(await event().innerText(), /Person\s+\d\d:\d\d:\d\d, 6 s/, 'from the event on: the pre-roll is of before');
    await event().click();
    await big().waitFor();
    await until('eight verdicts', async () => (await kinds()).join() === Array(8).fill('part').join());
    assert.match(await verdict(), /^Part 1 of 8: yours, before the event$/);
    await until('the first frame', () => player().locator('canvas.film').evaluate((c) => c.width === 640 && c.height === 360));
    assert.match(await player().locator('.time').innerText(), /^0:00\.0 \/ 0:08\.0$/);
    assert.match(await player().locator('.before').evaluate((e) => e.style.width), /^25%$/);
    const first = await painted(), wall = await player().locator('.wall').innerText();
    assert.match(wall, /^\d\d:\d\d:\d\d\.\d$/);
    await page.keyboard.press('.');
    await until('one frame on', async () => Math.abs((await at()) - 0.125) < 1e-3 && (await painted()) !== first);
    await page.keyboard.press(',');
    await until('the same frame as before', async () => (await at()) === 0 && (await painted()) === first);
    await seek(3.5);
    await until('another part', async () => /^Part 4 of 8: yours$/.test(await verdict()));
    assert.match(await bar().getAttribute('aria-valuetext'), /^0:03\.5 of 0:08\.0, Part 4 of 8: yours/);
    await bar().focus();
    await page.keyboard.press('ArrowRight');
    await until('a second on', async () => Math.abs((await at()) - 4.5) < 1e-3);
    await page.keyboard.press('End');
    await until('the end', async () => Math.abs((await at()) - 8) < 1e-3);
  },

  async 'a clip plays, in the time that it took, and stops at its end'() {
    await page.evaluate(() => {
      globalThis.places = [];
      const film = document.querySelector('.player');
      new MutationObserver(() => globalThis.places.push(film.querySelector('.time').textContent)).observe(film.querySelector('.time'), { childList: true, characterData: true, subtree: true });
    });
    await seek(0.3);
    await page.keyboard.press(' ');
    await until('it plays in the pre-roll', async () => (await at()) > 0.5);
    await page.keyboard.press(' ');
    await until('it rests', () => player().getByRole('button', { name: 'Play' }).isVisible());
    const rests = await at();
    assert.ok(rests < 8);
    await seek(0.9);
    await shoot('clip-pre-roll');
    await readable('a clip');
    await seek(6.8);
    await player().getByRole('button', { name: 'Play' }).click();
    await until('it stops at the end', async () => Math.abs((await at()) - 8) < 1e-3 && player().getByRole('button', { name: 'Play' }).isVisible());
    await shoot('clip-complete');
    assert.equal(await page.evaluate(() => globalThis.urls.size) <= 2, true, 'no address is left of frames');
  },

  async 'a clip is saved as one film, with a proof of every part'() {
    const film = await save(big().getByRole('button', { name: 'Save the clip' })), claims = await save(big().getByRole('button', { name: 'and its proof' }));
    assert.match(film.name, /^Front-door-\d{4}-\d\d-\d\dT\d{6}\.mp4$/);
    assert.equal(claims.name, `${film.name}.proof`);
    const b = film.data, boxes = [];
    for (let i = 0; i < b.length; i += b.readUInt32BE(i)) boxes.push(b.toString('latin1', i + 4, i + 8));
    assert.deepEqual(boxes, ['ftyp', 'moov', ...Array(8).fill(['moof', 'mdat']).flat()]);
    assert.deepEqual(await judge(b, claims.data), { parts: 8, sound: true, whole: true });
    kept.film = { name: film.name, data: b.toString('base64') };
    kept.claims = { name: claims.name, data: claims.data.toString('base64') };
    b[b.length >> 1] ^= 1;
    kept.changed = { name: film.name, data: b.toString('base64') };
    assert.deepEqual(await judge(b, claims.data), { parts: 7, sound: false, whole: false }, 'what was changed is found');
    await page.keyboard.press('ArrowLeft');
    await until('the snapshot beside it', () => big().locator('img').evaluate((e) => e.naturalWidth === 1280));
    assert.equal(await player().isVisible(), false);
    await page.keyboard.press('ArrowRight');
    await until('the clip again', () => player().isVisible());
    await page.keyboard.press('Escape');
    await until('closed', async () => !(await big().isVisible()));
    await until('the film goes with its view', async () => (await player().locator('canvas.film').count()) === 0);
  },

  async 'the proof of a clip, and what it finds'() {
    await drop(kept.film, kept.claims);
    await proof().getByText('Proven: all 8 parts are exactly as the camera sealed them').waitFor();
    await proof().getByText('It is your household’s camera Front door.').waitFor();
    const parts = () => proof().locator('.verdicts i').evaluateAll((all) => all.map((e) => e.dataset.kind).join());
    assert.equal(await parts(), Array(8).fill('part').join());
    await until('its first frame is there', () => proof().locator('canvas.film').evaluate((c) => c.width === 640));
    await page.keyboard.press('.');
    await until('a frame on', async () => Math.abs(Number(await proof().getByRole('slider').inputValue()) - 0.125) < 1e-3);
    await shoot('proof-clip', { full: true });
    await readable('the proof of a clip');
    await drop(kept.changed, kept.claims);
    await proof().getByText('This is not the clip that was sealed').waitFor();
    await proof().getByText('7 parts of it are proven, and nothing else of it is shown.').waitFor();
    await until('the part that was changed is named', async () => /part 5/i.test(await proof().locator('.faults').innerText()));
    assert.equal(await parts(), 'part,part,part,part,hole,part,part,part');
    assert.equal(await proof().locator('.verdict svg').count(), 1);
    await shoot('proof-clip-changed', { full: true });
    await readable('a clip that was changed');
    await page.keyboard.press('Escape');
    await proof().waitFor({ state: 'hidden' });
    await until('the film goes with its dialog', async () => (await proof().locator('canvas').count()) === 0);
  },

  async 'a clip with a hole, a refused part, one that came twice and one out of order'() {
    await open(['Front door']);
    await title('Waiting');
    await act('mute');
    await act('hurt');
    await until('the card says what is on its way', async () => /clip, 5 parts so far, 1 on its way, 1 refused/.test(await event().locator('.delivery').innerText().catch(() => '')));
    await page.locator('.row.refusal').getByText('This picture was changed on its way').waitFor();
    await event().click();
    await until('each has its verdict', async () => (await kinds()).join() === 'part,part,refused,hole,part,part,part');
    await until('twice is said', async () => { await seek(1.5); return /^Part 2: yours, before the event, came twice and is shown once$/.test(await verdict()); });
    await seek(2.5);
    await player().getByText('Part 3 was changed on its way').waitFor();
    assert.equal(await player().locator('canvas.film').isVisible(), false, 'no picture where one was refused');
    await shoot('clip-refused');
    await readable('a refused part');
    await seek(2.9);
    await page.keyboard.press(' ');
    await until('the hole takes its time', async () => (await player().locator('.stage').getAttribute('data-kind')) === 'hole');
    await page.keyboard.press(' ');
    await player().getByText('Part 4 is missing').waitFor();
    assert.match(await player().locator('[role=status]').innerText(), /^Part 4: missing, 0:03/);
    await shoot('clip-hole');
    await readable('a hole');
    await page.keyboard.press(',');
    await until('a step back is into the hole’s begin or the part before it', async () => (await at()) <= 3.001);
    await seek(3.5);
    await page.keyboard.press('.');
    await until('a step on is behind the hole', async () => Math.abs((await at()) - 4) < 1e-3 && /^Part 5: yours$/.test(await verdict()));
    await seek(5.5);
    await until('out of order is said', async () => /^Part 6: yours, came late$/.test(await verdict()));
    await act('heal');
    await until('the number of parts is known', async () => /clip 6 of 8 parts here, 1 on its way, 1 refused/.test(await big().locator('.delivery').innerText()));
    await act('healed');
    await until('all parts are here', async () => (await kinds()).join() === Array(8).fill('part').join());
    await until('and that is said', async () => /clip whole, 8 parts/.test(await big().locator('.delivery').innerText()));
    await act('stranger');
    await until('another part 2 is refused by name', async () => (await page.locator('.row.refusal').allInnerTexts()).some((t) => /Part 2 is no part of its clip: its number is taken by another part/.test(t)));
    await until('so is a part 9 of eight', async () => (await page.locator('.row.refusal').allInnerTexts()).some((t) => /Part 9 is no part of its clip: its number is behind the last/.test(t)));
    assert.equal((await kinds()).join(), Array(8).fill('part').join(), 'the clip is as it was');
    await page.keyboard.press('Escape');
    await page.locator('.row.closed').getByText(/Gap closed: \d arrived late/).first().waitFor();
    await shoot('clip-closed-gap', { full: true });
  },

  async 'a clip of H.264, by the browser’s own decoder'() {
    await open(['Front door']);
    await act('clip-h264');
    await until('the card', async () => /clip whole, 8 parts/.test(await event().locator('.delivery').innerText().catch(() => '')));
    await event().click();
    const video = player().locator('video.film');
    await until('the first frame is decoded', () => video.evaluate((v) => v.readyState >= 2 && v.videoWidth === 640));
    await seek(6.5);
    await until('the place is shown', () => video.evaluate((v) => !v.seeking && v.readyState >= 2 && Math.abs(v.currentTime - 6.5) < 0.1));
    await page.keyboard.press(' ');
    await until('it plays to its end', async () => Math.abs((await at()) - 8) < 1e-3);
    await until('and stops', () => player().getByRole('button', { name: 'Play' }).isVisible());
    await page.keyboard.press(',');
    await page.keyboard.press(',');
    await until('two frames back', async () => Math.abs((await at()) - 7.75) < 1e-3);
    await seek(4.2);
    await until('it is drawn', () => video.evaluate((v) => !v.seeking && v.readyState >= 2));
    await shoot('clip-h264');
    await page.keyboard.press('Escape');
    await until('closed', async () => !(await big().isVisible()));
    assert.equal(await page.evaluate(() => globalThis.urls.size) <= 1, true);
  },

  async 'a clip that this browser cannot play'() {
    await page.evaluate(() => { MediaSource.isTypeSupported = () => false; });
    await act('clip-h265');
    await until('its card', async () => (await page.locator('.event').count()) === 2);
    await event(0).or(event(1)).first().waitFor();
    await page.locator('.event').last().click();
    if (!(await player().getByText('This browser cannot play this clip').isVisible())) {
      await page.keyboard.press('Escape');
      await page.locator('.event').first().click();
    }
    await player().getByText('This browser cannot play this clip').waitFor();
    await player().getByText(/It is H\.26[45], and every part of it is verified\./).waitFor();
    assert.ok(await player().getByRole('button', { name: 'Play' }).isDisabled());
    await shoot('clip-cannot-play');
    await readable('a clip that cannot be played');
    assert.match((await save(big().getByRole('button', { name: 'Save the clip' }))).name, /\.mp4$/);
    await page.keyboard.press('Escape');
  },
};
