// SPEC.md sections 7 and 9: opening.

import * as age from './age.mjs';
import { same } from './cbor.mjs';
import * as cose from './cose.mjs';
import { Memory } from './memory.mjs';
import { LIVE, RECORDING, agree, peek, plain } from './message.mjs';
import { broken, refuse } from './refusal.mjs';

const ASKED = 2 * 60e6, AHEAD = 5 * 60e6, LONGEST = 24 * 3600e6; // microseconds

export class Opener {
  memories = new Map(); asked = [];

  // roster is an opened one; identity is the viewer's age identity; now returns
  // microseconds since 1970.
  constructor({ household, roster, identity, now }) { Object.assign(this, { household, roster, identity, now }); }

  ask(camera, nonce) { this.asked.push({ camera, nonce, at: this.now() }); }

  memory(camera) {
    if (!this.memories.has(camera)) this.memories.set(camera, new Memory());
    return this.memories.get(camera);
  }

  // gaps returns what is missing; history is not.
  gaps(camera) { return this.memory(camera).gaps.filter((g) => !g.history); }

  // open opens a message for the screen about camera, and remembers it.
  async open(camera, b) { return this.#open(camera, b, this.memory(camera)); }

  // recall opens a part of a recording, which open does not, and it nothing else.
  async recall(camera, b) { return this.#open(camera, b, null, true); }

  // check is open without history, before or after.
  async check(camera, b) { return this.#open(camera, b, null); }

  async #open(camera, b, memory, recalled = false) {
    const message = await peek(b);
    if (message.camera !== camera) refuse('wrong camera', 'the screen is about another');
    if (message.household !== this.household) refuse('not for you', 'another household');
    if (!this.roster.cameras.has(camera)) refuse('revoked', 'the roster does not list the camera');
    if (recalled && message.stream !== RECORDING) refuse('replayed', 'no part of a recording');
    const place = memory?.place(message);
    const text = await age.decrypt(message.body, this.identity);
    if (!same(await cose.sha256(text), message.plainHash)) broken('the plaintext is another');
    const { hidden, media } = plain(text);
    agree(message, hidden, media);
    const question = memory && this.#question(camera, hidden.get(18));
    if (message.stream === LIVE && !question) this.#time(message, hidden);
    if (question) this.asked.splice(this.asked.indexOf(question), 1);
    place?.record();
    if (memory && hidden.has(20)) memory.lose(hidden.get(20));
    return {
      camera, message, hidden, media, fresh: Boolean(question), late: Boolean(place?.late),
      behind: message.roster < this.roster.version, ahead: message.roster > this.roster.version,
    };
  }

  // question returns the request that a nonce answers.
  #question(camera, nonce) {
    return nonce && this.asked.find((a) => a.camera === camera && same(a.nonce, nonce) && this.now() - a.at <= ASKED);
  }

  #time(message, hidden) {
    const now = this.now(), taken = hidden.get(7), expires = message.expires * 1e6;
    if (hidden.get(6) === 'none') refuse('stale', 'the camera does not know the time');
    if (!(now < expires)) refuse('stale', 'expired');
    if (taken - now > AHEAD) refuse('stale', 'from the future');
    if (expires - taken > LONGEST) refuse('stale', 'for more than a day');
  }
}
