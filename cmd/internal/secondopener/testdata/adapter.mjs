// The second opener as a viewer of sealcam drill (--viewer exec:...): the line
// protocol of cmd/internal/drill's documentation.

import { createInterface } from 'node:readline';
import { Films } from './film.mjs';
import * as key from './key.mjs';
import { Opener } from './opener.mjs';
import { Refusal } from './refusal.mjs';
import * as rosters from './roster.mjs';

const bytes = (base64) => new Uint8Array(Buffer.from(base64, 'base64'));
const STREAMS = ['', 'durable', 'live', 'will', '', 'view'];
let household, identity, roster, opener, films, now = 0;

function make() {
  films = new Films();
  opener = new Opener({ household, roster, identity, now: () => now });
  return 'ok';
}

const requests = {
  'sealcam-drill': () => 'sealcam-drill 1 clips',
  async begin(id, secret, signed) {
    household = id;
    ({ identity } = await key.parse(secret));
    roster = await rosters.open(household, bytes(signed));
    return make();
  },
  async roster(signed) {
    roster = rosters.replace(roster, await rosters.open(household, bytes(signed)));
    opener.roster = roster;
    return 'ok';
  },
  async open(micros, camera, sealed = '') {
    now = Number(micros);
    const opened = await opener.open(camera, bytes(sealed)), { message, media } = opened;
    films.add(opened);
    return `shown ${message.camera} ${STREAMS[message.stream]} ${message.seq} ${Buffer.from(media).toString('base64') || '-'}`;
  },
  reconnect: () => 'ok', // it lives in memory
  forget: make,
  clip: (camera, boot, event) => films.say(camera, boot, event),
  gaps: (camera) => ['gaps', ...opener.gaps(camera).map((g) => `${g.first}-${g.last}`)].join(' '),
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const [name, ...fields] = line.split(' ');
  try {
    console.log(await requests[name](...fields));
  } catch (err) {
    if (!(err instanceof Refusal)) throw err;
    console.log(`refused ${err.reason.replaceAll(' ', '_')}`);
  }
}
