// Every state that a person can meet. Each step asserts what that person would
// see, hear or do, and leaves a picture in every size and scheme.

import assert from 'node:assert/strict';
import { act, ahead, allow, drop, happen, open, page, pick, pictured, proof, published, readable, settings, shoot, spoil, state, tile, title, until, world } from './harness.mjs';

export const steps = {
  async 'first paint, before the opener is there'() {
    await open(['Front door'], { wasm: false });
    await title('Getting ready');
    assert.equal(await page.locator('img[src]').count(), 0);
    assert.equal(await page.getByText('Nothing happened').isVisible(), false, 'nothing is claimed of what is not known');
    await shoot('loading');
    await act('open');
    await title('Waiting');
    await act('live');
    await state(0, 'live');
  },

  async 'empty: nothing has come yet, and the key is gone from the address'() {
    await open(['Front door']);
    await title('Waiting');
    await until('the address is clean', () => page.evaluate(() => location.hash === '' && !location.href.includes('#')));
    await page.getByText('Nothing has happened yet').waitFor();
    await shoot('empty');
    await readable('empty');
  },

  async 'the key is kept: a reload needs no link'() {
    await act('pump');
    await title('All is well');
    await page.reload();
    await title('All is well');
    const kept = await page.evaluate(() => new Promise((done) => {
      indexedDB.open('sealcam').onsuccess = (e) => { e.target.result.transaction('households').objectStore('households').getAll().onsuccess = (g) => done(g.target.result.map((x) => Object.keys(x).sort())); };
    }));
    for (const keys of kept) assert.deepEqual(keys.filter((k) => !['id', 'name', 'roster', 'secret', 'state', 'used'].includes(k)), [], 'nothing plain is kept');
  },

  async 'live by day'() {
    await open(['Front door']);
    await happen();
    await act('day');
    await act('pump');
    await title('All is well');
    await until('a verdict with its age', async () => /^Yours, \d+(\.\d)? s ago, day$/.test((await tile().locator('.chip').innerText()).replace(/\s+/g, ' ').replace(' ,', ',')));
    const img = tile().locator('img');
    assert.match(await img.getAttribute('src'), /^blob:/);
    assert.match(await img.getAttribute('alt'), /^Front door, verified, day$/);
    assert.deepEqual(await img.evaluate((e) => [e.naturalWidth, e.naturalHeight]), [1280, 720]);
    await pictured();
    await shoot('live-day', { full: true });
    await readable('live by day');
  },

  async 'pictures do not pile up'() {
    const src = await tile().locator('img').getAttribute('src');
    let changes = 0, last = src;
    await until('six new pictures', async () => {
      const now = await tile().locator('img').getAttribute('src');
      if (now !== last) changes++;
      last = now;
      return changes >= 6;
    });
    await until('old pictures are let go', async () => (await page.evaluate(() => globalThis.urls.size)) <= 2);
  },

  async 'after a week: what the page missed comes from the keeper'() {
    await open(['Front door']);
    await title('Waiting');
    const { events } = await act('week');
    await until('the newest', async () => (await page.locator('.event').count()) >= 20);
    const older = page.getByRole('button', { name: /older/ });
    await until('the whole week', async () => (await page.locator('.event').count()) + Number((await older.allInnerTexts()).join('').match(/\d+/) ?? 0) >= events);
    await page.getByText('Gap closed: 79 arrived late').waitFor();
    await page.getByText(/between \w+ \d+ \w+, \d\d:\d\d and \w+ \d+ \w+, /).waitFor();
    assert.equal(await page.locator('.row.gap, .row.refusal').count(), 0, 'nothing is missing, nothing was refused');
    await act('lasting');
    await state(0, 'live');
    await pictured();
    await shoot('after-a-week', { full: true });
    await readable('after a week');
  },

  async 'live by night, two cameras'() {
    await open(['Front door', 'Garden']);
    await happen();
    await act('night');
    await act('pump');
    await title('All is well');
    await page.getByText('Front door and Garden: yours, and live.').or(page.getByText('Garden and Front door: yours, and live.')).waitFor();
    await until('the glyph of the night', async () => (await tile().locator('.glyph use').getAttribute('href')) === '#i-night');
    await pictured();
    await shoot('live-night', { full: true });
    await readable('live by night');
  },

  async 'the past: one camera of two'() {
    const all = await page.locator('.event').count();
    await page.getByRole('button', { name: 'Garden', exact: true }).click();
    await until('fewer events', async () => { const n = await page.locator('.event').count(); return n > 0 && n < all; });
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await until('all events', async () => (await page.locator('.event').count()) === all);
  },

  async 'an event in the big view, by keyboard alone'() {
    await page.locator('body').press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const first = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    assert.match(first, /here .*, verified$/);
    await page.keyboard.press('Enter');
    const big = page.getByRole('dialog');
    await big.waitFor();
    await until('the picture is there', () => big.locator('img').evaluate((e) => e.naturalWidth === 1280));
    assert.match(await big.locator('.chip').innerText(), /Yours/);
    await shoot('big');
    await readable('big view');
    const before = await big.locator('.chip').innerText();
    await page.keyboard.press('ArrowLeft');
    await until('an older picture', async () => (await big.locator('.chip').innerText()) !== before);
    await big.getByText('What the seal says').click();
    assert.match(await big.locator('dl').innerText(), new RegExp(world.cameras[0] + '|' + world.cameras[1]));
    await shoot('big-details');
    await page.keyboard.press('Escape');
    await big.waitFor({ state: 'hidden' });
    // The dialog tells of its closing a moment after it is hidden.
    await until('the picture is taken away with its view', async () => (await page.locator('#big img[src]').count()) === 0);
  },

  async 'help, by keyboard'() {
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('What you see here').waitFor();
    await shoot('help');
    await page.keyboard.press('Escape');
    await page.keyboard.press('l');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'tile');
  },

  async 'show me now'() {
    await act('stop');
    await tile().getByRole('button', { name: 'Show me now' }).click();
    await until('proven live', async () => /^Proven live/.test(await tile().locator('.chip').innerText()));
    assert.match(await tile().locator('.note').innerText(), /^Proven live: it answered after \d+\.\d s$/);
    await shoot('proven');
    await act('mute');
    await tile().getByRole('button', { name: 'Show me now' }).click();
    await tile().getByText('Asking the camera').waitFor();
    await ahead(13000);
    await tile().getByText('No answer in 12 s').waitFor();
    await act('unmute');
  },

  async 'live view: asked for, proven frame by frame, and ended'() {
    await open(['Front door', 'Garden']);
    await act('live');
    await state(0, 'live');
    const button = (name) => tile().getByRole('button', { name: `${name}: Front door` });
    await button('Live view').click();
    await until('the camera is asked for frames', () => act('view').then(() => true, () => false));
    await until('proven live', async () => /^Proven live/.test(await tile().locator('.chip').innerText()));
    const src = () => tile().locator('img').getAttribute('src');
    for (let i = 0; i < 3; i++) {
      const before = await src();
      await act('view');
      await until('the next frame', async () => (await src()) !== before);
    }
    await pictured();
    await shoot('live-view');
    await readable('live view');
    await act('view-wrong');
    await state(0, 'refused');
    assert.match(await tile().innerText(), /This picture is from another camera/);
    await shoot('live-view-refused');
    await act('view');
    await state(0, 'live');
    await tile().getByText('No fresh picture since').waitFor(); // nothing follows, and it does not stay
    await act('live');
    await state(0, 'live');
    await button('End live view').click();
    const still = await src();
    await act('view');
    await act('event'); // what comes after it has been opened
    await page.locator('.event').first().waitFor();
    assert.equal(await src(), still, 'no frame is drawn that nobody asked for');
  },

  async 'live view of a camera that gives H.264 only: parts play at their newest end'() {
    await open(['Front door', 'Garden']);
    const button = (name) => tile().getByRole('button', { name: `${name}: Front door` });
    await button('Live view').click();
    await until('the camera is asked for parts', () => act('view-h264').then(() => true, () => false));
    await until('proven live', async () => /^Proven live/.test(await tile().locator('.chip').innerText()));
    const video = tile().locator('video.film');
    const film = () => video.evaluate((v) => ({ at: v.currentTime, end: v.buffered.length ? v.buffered.end(v.buffered.length - 1) : 0, start: v.buffered.length ? v.buffered.start(0) : 0, width: v.videoWidth, sees: v.readyState >= 2, controls: v.controls, muted: v.muted }));
    let end = 0;
    for (let i = 0; i < 12; i++) { // eight of one clock, and then another one's
      const before = (await film()).end;
      await act('view-h264');
      await until('the next part', async () => (await film()).end !== before);
      // What has been played is given up with the next part, so a busy machine may play on first.
      await until('it plays on', async () => { const { at, end } = await film(); return at > end - 2.6; });
      const f = await film();
      assert.ok(f.muted && !f.controls && f.width === 640, JSON.stringify(f));
      assert.ok(f.end - f.start <= 7, `bounded: ${JSON.stringify(f)}`);
      end = f.end;
    }
    await until('the newest end is shown', async () => { const f = await film(); return f.sees && f.at > end - 2.6; });
    assert.equal(await tile().locator('img[src]').count(), 0, 'no picture under the film');
    await shoot('live-view-h264');
    await readable('live view of H.264');
    await act('view-wrong');
    await state(0, 'refused');
    assert.equal(await video.count(), 0, 'a refusal takes the film away');
    await act('view-h264');
    await state(0, 'live');
    await until('it plays on', async () => (await film()).sees);
    await tile().getByText('No fresh picture since').waitFor(); // nothing follows, and it does not stay
    assert.equal(await video.count(), 0, 'nothing is left to be seen again');
    await page.evaluate(() => { MediaSource.isTypeSupported = () => false; });
    await act('view-h264');
    await tile().getByText('Live view is verified, but this browser cannot play H.264.').waitFor();
    assert.equal(await page.evaluate(() => globalThis.urls.size) <= 1, true);
  },

  async 'ageing, then stale: never frozen as if it were now'() {
    await open(['Front door']);
    await title('Waiting');
    await act('lasting'); // for ten minutes
    await state(0, 'live');
    await ahead(5 * 60000);
    await state(0, 'ageing');
    await shoot('ageing');
    await ahead(11 * 60000);
    await state(0, 'stale');
    await title('No fresh picture');
    await tile().getByText(/No fresh picture since \d\d:\d\d:\d\d/).waitFor();
    assert.equal(await tile().locator('img[src]').count(), 0);
    assert.equal(await page.evaluate(() => globalThis.urls.size), 0);
    await shoot('stale');
    await readable('stale');
  },

  async 'a camera that has trouble, and one that is gone'() {
    await open(['Front door']);
    await act('pump');
    await title('All is well');
    await act('trouble');
    await title('Front door has trouble');
    await tile().getByText('The camera says: no frames from /dev/video0 for 12 s').waitFor();
    await shoot('trouble');
    await act('care');
    await title('All is well');
    await tile().getByText('The camera says: the board is so warm that it slows down').waitFor();
    assert.equal(await tile().locator('.runs').innerText(), 'v1.4.0, on trial, 81 °C');
    await readable('care');
    await act('running');
    await tile().locator('.trouble').waitFor({ state: 'hidden' });
    assert.equal(await tile().locator('.runs').isVisible(), false);
    await title('All is well');
    await act('stop');
    await act('will');
    await ahead(10000);
    await state(0, 'stale');
    await tile().getByText('The camera is off, or out of reach.').waitFor();
    await ahead(0);
    await act('live');
    await state(0, 'live');
  },

  async 'a camera that is closed for privacy'() {
    await open(['Front door']);
    await act('live');
    await state(0, 'live');
    await act('keep'); // sealed before the camera was closed
    await act('closed');
    await state(0, 'closed');
    await title('Privacy');
    await tile().getByText(/^Privacy since \d\d:\d\d$/).waitFor();
    assert.equal(await tile().locator('img[src]').count(), 0, 'the picture goes at once');
    await until('a band in the day', async () => (await page.locator('.rail .closed').count()) === 1);
    await act('replayed');
    await state(0, 'closed');
    await shoot('privacy');
    await readable('privacy');
    await act('running');
    await act('live');
    await state(0, 'live');
  },

  async 'each refusal, in the place of the picture'() {
    await open(['Front door', 'Garden']);
    await title('Waiting');
    for (const [what, words, reason] of [
      ['malformed', 'This picture is damaged', 'malformed'],
      ['wrong', 'This picture is from another camera', 'wrong camera'],
      ['broken', 'This picture was changed on its way', 'broken seal'],
      ['notyours', 'This picture is meant for somebody else', 'not for you'],
      ['replayed', 'This picture was sent before and is not new', 'replayed'],
      ['stale', 'This picture is too old to be shown as now', 'stale'],
    ]) {
      await act('keep', 0); // held back: an older one than the screen will show
      await act('live', 0);
      await act('live', 1);
      await state(0, 'live');
      await act(what, 0);
      await state(0, 'refused');
      await tile().getByText(words).waitFor();
      await tile().getByText('It was not shown.').waitFor();
      assert.equal(await tile().locator('img[src]').count(), 0, `${what}: no picture`);
      await until('a screen reader hears it', async () => (await page.locator('#say').innerText()).includes('Front door: refused.') || what !== 'malformed');
      await shoot(`refused-${reason.replaceAll(' ', '-')}`);
      await tile().getByText('Details').click();
      assert.match(await tile().locator('dl').innerText(), new RegExp(reason));
      if (what === 'wrong') {
        await shoot('refused-details');
        await readable('a refusal');
      }
      assert.notEqual(await tile(1).getAttribute('data-state'), 'refused', 'the other camera is not touched');
    }
    await until('six refusals are remembered', async () => (await page.locator('.row.refusal').count()) >= 6);
  },

  async 'a camera that was removed'() {
    await act('revoked', 1);
    await until('its tile is gone', async () => (await page.locator('.tile').count()) === 1);
    await page.locator('.row.refusal').getByText('This camera is not one of your household').waitFor();
    await page.locator('.row.refusal').first().click();
    await shoot('refused-revoked');
  },

  async 'a duplicate is no refusal'() {
    await open(['Front door']);
    await act('event');
    await page.locator('.event').first().waitFor();
    await act('again');
    await act('live');
    await state(0, 'live');
    assert.equal(await page.locator('.row.refusal').count(), 0);
  },

  async 'a gap is shown, asked for, and closed'() {
    await open(['Front door']);
    await happen();
    await act('mute');
    await act('gap');
    await page.locator('.row.gap').getByText('2 messages missing').waitFor();
    assert.equal(await page.locator('.rail .gap b').first().innerText(), '2');
    await act('pump');
    await title('All is well');
    await act('lost');
    await page.locator('.row.gap.lost').getByText('4 messages will never come').waitFor();
    await shoot('gap', { full: true });
    await readable('a gap');
    await act('unmute');
    await page.reload();
    await until('the camera was asked, and has answered', async () => (await page.locator('.row.gap:not(.lost)').count()) === 0 && (await page.locator('.event').count()) > 2);
  },

  async 'the hostile relay: to refusals, and back'() {
    await open(['Front door', 'Garden']);
    await happen();
    await act('pump');
    await title('All is well');
    await page.getByRole('button', { name: 'Bench' }).click();
    const hostile = page.getByRole('switch', { name: 'Hostile relay' });
    await hostile.click();
    await state(0, 'refused');
    await state(1, 'refused');
    await title('2 cameras: refused');
    assert.equal(await page.locator('.tile img[src]').count(), 0, 'no swapped picture is shown');
    await until('counters', async () => {
      const [, swapped, refused] = /swapped (\d+) pictures, (\d+) refused/.exec(await page.locator('#bench').innerText()) ?? [];
      return Number(swapped) >= 6 && Number(refused) >= 6;
    });
    await shoot('hostile');
    await readable('hostile');
    await hostile.click();
    await state(0, 'live');
    await state(1, 'live');
    await title('All is well');
  },

  async 'the network is cut on the bench, and heals'() {
    const network = page.getByRole('switch', { name: 'Network' });
    await network.click();
    await ahead(10000);
    await state(0, 'stale');
    await shoot('bench');
    await ahead(0);
    await network.click();
    await state(0, 'live');
    await page.keyboard.press('b');
    await page.locator('#bench').waitFor({ state: 'hidden' });
  },

  async 'offline: the broker is away'() {
    await act('down');
    await title(/^Not connected since \d\d:\d\d:\d\d$/);
    await page.getByText('The broker’s certificate has expired.').waitFor();
    await act('stop');
    await ahead(10000);
    await state(0, 'stale');
    await shoot('offline');
    await readable('offline');
    assert.ok(await tile().getByRole('button', { name: 'Show me now' }).isDisabled());
    await ahead(0);
    await act('up');
    await act('pump');
    await title('All is well');
  },

  async 'offline: the server is gone'() {
    allow((text) => text.includes('net::ERR_'));
    await act('gone');
    await title(/^Not connected/);
    await page.getByText('This page has lost its server.').first().waitFor();
    await ahead(10000);
    await state(0, 'stale');
    await shoot('offline-server');
    allow();
  },

  async 'four cameras are a grid'() {
    await open(['Front door', 'Garden', 'Drive', 'Letter box by the old gate']);
    await act('pump');
    await title('All is well');
    const boxes = await Promise.all([0, 1, 2, 3].map((i) => tile(i).boundingBox()));
    assert.ok(new Set(boxes.map((b) => Math.round(b.x))).size > 1 && new Set(boxes.map((b) => Math.round(b.y))).size > 1, 'rows and columns');
    await shoot('grid');
  },

  async 'pairing: a code, three steps, two words'() {
    await open(['Front door'], { owner: true });
    await title('Waiting');
    await page.getByRole('button', { name: 'Add a camera' }).click();
    const pair = page.locator('dialog#pair');
    await shoot('pairing');
    await readable('pairing');
    await page.getByLabel('What is it called?').fill('Garden');
    await page.keyboard.press('Enter');
    await pair.getByText('Waiting for a camera to read it').waitFor();
    const drawn = await pair.locator('.code path').getAttribute('d');
    const { size, modules } = await page.evaluate((owner) => fetch('pair', { headers: { 'Sealcam-Owner': owner } }).then((a) => a.json()), settings.owner);
    const dark = [...modules].flatMap((m, i) => (m === '1' ? [`M${i % size + 4} ${Math.floor(i / size) + 4}h1v1h-1z`] : []));
    assert.equal(drawn, dark.join(''), 'every dark module, and no other');
    await shoot('pairing-code');
    await readable('the code');
    await act('pair-refused');
    await pair.getByText('1 asker refused: replayed').waitFor();
    await act('pair-read');
    await pair.getByText(`Camera ${world.cameras[0].slice(0, 4)}…${world.cameras[0].slice(-4)} has read the code`).waitFor();
    await pair.getByText('amber canoe').waitFor();
    assert.equal(await pair.locator('.code').count(), 0, 'a code that is used up is taken away');
    await shoot('pairing-words');
    await readable('the words');
    await pair.getByRole('button', { name: 'The same: take it in' }).click();
    await pair.getByText('Garden is yours').waitFor();
    await shoot('pairing-done');
    await pair.getByRole('button', { name: 'Done' }).click();
    await pair.waitFor({ state: 'hidden' });
  },

  async 'pairing: declined, and left'() {
    const pair = page.locator('dialog#pair');
    const begin = async () => {
      await page.getByLabel('What is it called?').fill('Garden');
      await page.getByRole('button', { name: 'Show the code' }).click();
      await pair.getByText('Waiting for a camera to read it').waitFor();
    };
    await page.getByRole('button', { name: 'Add a camera' }).click();
    await begin();
    await act('pair-read');
    await pair.getByRole('button', { name: 'Not the same' }).click();
    await pair.getByText('No camera was taken in').waitFor();
    await shoot('pairing-declined');
    await readable('declined');
    await pair.getByRole('button', { name: 'Try again' }).click();
    await begin();
    await page.keyboard.press('Escape');
    await pair.waitFor({ state: 'hidden' });
    await until('the code is worth nothing', () => act('pair-idle').then(() => true, () => false));
    await page.reload(); // the tab knows that it is the owner's
    await page.getByRole('button', { name: 'Add a camera' }).waitFor();
  },

  async 'pairing is for the owner'() {
    await open(['Front door'], { owner: 'a link of yesterday' });
    await title('Waiting');
    await page.getByRole('button', { name: 'Add a camera' }).click();
    await page.getByLabel('What is it called?').fill('Garden');
    allow((text) => text.includes('403'));
    await page.getByRole('button', { name: 'Show the code' }).click();
    await page.getByText('Open the page by the link that sealcam view printed last').waitFor();
    allow();
    await open(['Front door']);
    await title('Waiting');
    await until('the tab is a new one', async () => (await page.evaluate(() => sessionStorage.length)) === 0);
    assert.ok(await page.getByRole('button', { name: 'Add a camera' }).isHidden());
  },

  async 'no key in this browser'() {
    await open(['Front door']);
    await title('Waiting');
    await page.keyboard.press('?');
    await page.getByRole('button', { name: 'Forget it in this browser' }).click();
    await title('This browser has no key'); // the page loads itself again, without the key
    await page.reload();
    await title('This browser has no key');
    await shoot('no-key');
    await readable('no key');
  },

  async 'a proof, in a browser without any key'() {
    const file = await published();
    await drop(file.media);
    await proof().getByText('Now its proof').waitFor();
    await drop(file.proof);
    await proof().getByText('Proven: exactly as the camera sealed it').waitFor();
    await proof().getByText('Whose camera that is, a proof does not show').waitFor();
    assert.match(await proof().locator('dl').innerText(), new RegExp(`${world.cameras[0]}[^]*2025-03-01 02:10:00.000 UTC, clock from ntp[^]*motion[^]*night[^]*person 93 %`));
    await until('the picture is drawn', () => proof().locator('img').evaluate((e) => e.naturalWidth === 1280));
    await shoot('proof', { full: true });
    await readable('a proof');

    await proof().locator('input[type=file]').setInputFiles([pick(file.proof), pick({ ...file.media, data: spoil(file.media.data) })]);
    await proof().getByText('This picture was changed on its way').waitFor();
    await proof().getByText('Nothing is proven, and it was not shown.').waitFor();
    assert.equal(await proof().locator('img').count(), 0, 'no picture');
    await proof().getByText('Details').click();
    assert.match(await proof().locator('dl').innerText(), /broken seal[^]*not what was sealed/);
    await shoot('proof-refused');
    await readable('a refused proof');

    await drop(file.media, { name: 'not.proof', data: file.media.data });
    await proof().getByText('This picture is damaged').waitFor();
    await drop(file.media, file.proof, file.media);
    await proof().getByText('One picture or clip at a time').waitFor();
    await page.keyboard.press('Escape');
    await proof().waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(() => globalThis.urls.size), 0, 'no picture is left');
  },

  async 'a proof of one of your own cameras, by keyboard'() {
    await open(['Front door']);
    await title('Waiting');
    await page.keyboard.press('p');
    await proof().getByText('Is this picture what a camera sealed?').waitFor();
    await shoot('proof-empty');
    await readable('the proof view');
    const file = await published();
    await proof().locator('input[type=file]').setInputFiles([pick(file.proof), pick(file.media)]);
    await proof().getByText('It is your household’s camera Front door.').waitFor();
  },
};
