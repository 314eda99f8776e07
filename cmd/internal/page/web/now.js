// The one sentence at the top: is this my camera, is this now, is all well.

import { clock, list } from './words.js';

// headline returns {mood, icon, title, text} and, where they are needed, the
// line under it (banner) and what stands where tiles would be (empty). mood is
// one of wait, well, care, trouble.
export function headline(app) {
  if (app.failure) {
    return { mood: 'trouble', icon: 'refused', title: 'Pictures cannot be checked here', text: 'So none is shown.', banner: app.failure, empty: 'No picture is shown that was not checked' };
  }
  if (!app.keyed) {
    return { mood: 'wait', icon: 'key', title: 'This browser has no key', text: 'Open the link that sealcam printed: it carries your household’s key.', empty: 'Without the key nobody can see your pictures, this page included' };
  }
  if (!app.ready) {
    return { mood: 'wait', icon: 'wait', title: 'Getting ready', text: 'The checker is being loaded. Nothing is shown before it is there.', empty: 'Getting ready to check pictures' };
  }
  const tiles = [...app.tiles.values()];
  const unreached = app.unreached();
  if (unreached) return offline(app, unreached);
  if (!tiles.length) {
    return { mood: 'wait', icon: 'camera', title: 'No camera yet', text: 'Your household has no camera so far.', empty: 'A camera appears here when it joins your household' };
  }
  return ofTiles(tiles);
}

function offline(app, unreached) {
  const down = app.server.up ? app.broker : app.server;
  const since = down.since ? ` since ${clock(down.since)}` : '';
  return {
    mood: 'care', icon: 'away', title: `Not connected${since}`,
    text: 'What you see is not now. It is tried again by itself.',
    banner: down.why ? `${unreached} ${down.why}` : unreached, empty: 'Not connected',
  };
}

function ofTiles(tiles) {
  const names = (...states) => tiles.filter((t) => states.includes(t.state)).map((t) => t.label);
  const refused = names('refused'), stale = names('stale'), old = names('ageing'), waiting = names('waiting'), live = names('live'), closed = names('closed');
  if (refused.length) {
    const one = tiles.find((t) => t.state === 'refused');
    return {
      mood: 'trouble', icon: 'refused', title: refused.length === 1 ? `${refused[0]}: refused` : `${refused.length} cameras: refused`,
      text: refused.length === 1 ? `${one.refusal.person}. It was not shown.` : `What came for ${list(refused)} was not shown.`,
    };
  }
  if (stale.length) {
    return { mood: 'care', icon: 'old', title: 'No fresh picture', text: `${list(stale)}: nothing new ${stale.length === 1 ? `since ${clock(tiles.find((t) => t.state === 'stale').last.taken)}` : 'for a while'}.` };
  }
  if (closed.length === tiles.length) {
    return { mood: 'wait', icon: 'closed', title: 'Privacy', text: `${list(closed)}: closed, and nothing is seen.` };
  }
  if (waiting.length === tiles.length) {
    return { mood: 'wait', icon: 'wait', title: 'Waiting', text: `${list(waiting)}: no picture has come yet.` };
  }
  if (waiting.length) {
    return { mood: 'care', icon: 'wait', title: 'Waiting for some', text: `${list(waiting)}: no picture has come yet.` };
  }
  if (old.length) {
    return { mood: 'care', icon: 'yours', title: 'A moment old', text: `${list(old)}: the next picture is late.` };
  }
  const troubled = tiles.find((t) => t.says?.troubles.length);
  if (troubled) {
    return { mood: 'care', icon: 'yours', title: `${troubled.label} has trouble`, text: `Its pictures are yours, and live. It says: ${troubled.says.troubles[0]}` };
  }
  return { mood: 'well', icon: 'yours', title: 'All is well', text: `${list(live)}: yours, and live.${closed.length ? ` ${list(closed)}: closed for privacy.` : ''}` };
}
