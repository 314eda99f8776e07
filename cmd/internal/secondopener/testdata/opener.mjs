// SPEC.md sections 7 and 9: opening.

import * as age from './age.mjs';
import { same } from './cbor.mjs';
import * as cose from './cose.mjs';
import { Memory } from './memory.mjs';
import { LIVE, RECORDING, VIEW, agree, peek, plain } from './message.mjs';
import { broken, refuse } from './refusal.mjs';

const ASKED = 2 * 60e6, WATCHED = 15e6, AHEAD = 5 * 60e6, LONGEST = 24 * 3600e6; // microseconds

export class Opener {
  memories = new Map(); asked = []; proofs = new Map(); // camera: {boot, at} of the newest watch that was answered

  // roster is an opened one; identity is the viewer's age identity; now returns
  // microseconds since 1970.
  constructor({ household, roster, identity, now }) { Object.assign(this, { household, roster, identity, now }); }

  ask(camera, nonce, watch = false) { this.asked.push({ camera, nonce, watch, at: this.now() }); }

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
    const view = message.stream === VIEW, question = memory && this.#question(camera, hidden.get(18), view);
    if (view && memory) this.#prove(message, question);
    const fresh = Boolean(question) || Boolean(view && memory && this.#proven(message));
    if (view && !fresh) refuse('stale', 'nothing proves that it was sealed just now');
    if (message.stream === LIVE && !fresh) this.#time(message, hidden);
    if (question && !view) this.asked.splice(this.asked.indexOf(question), 1);
    place?.record();
    if (memory && hidden.has(20)) memory.lose(hidden.get(20));
    return {
      camera, message, hidden, media, fresh, late: Boolean(place?.late),
      behind: message.roster < this.roster.version, ahead: message.roster > this.roster.version,
    };
  }

  // question returns the request that a nonce answers.
  #question(camera, nonce, watch) {
    return nonce && this.asked.find((a) => a.camera === camera && a.watch === watch && same(a.nonce, nonce) && this.now() - a.at <= (watch ? WATCHED : ASKED));
  }

  // prove notes which watch a frame has answered; nothing can refuse it any more.
  #prove({ camera, boot }, question) {
    if (!question) return;
    const before = this.proofs.get(camera);
    if (before && same(before.boot, boot) && before.at > question.at) return;
    this.proofs.set(camera, { boot, at: question.at });
  }

  // proven tells whether a frame follows one that answered a watch.
  #proven({ camera, boot }) {
    const p = this.proofs.get(camera);
    return p && same(p.boot, boot) && this.now() - p.at <= WATCHED;
  }

  #time(message, hidden) {
    const now = this.now(), taken = hidden.get(7), expires = message.expires * 1e6;
    if (hidden.get(6) === 'none') refuse('stale', 'the camera does not know the time');
    if (!(now < expires)) refuse('stale', 'expired');
    if (taken - now > AHEAD) refuse('stale', 'from the future');
    if (expires - taken > LONGEST) refuse('stale', 'for more than a day');
  }
}
