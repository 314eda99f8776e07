// A refusal is the only way in which this opener says no.

export class Refusal extends Error {
  constructor(reason, detail, { alarm = false, duplicate = false } = {}) {
    super(`${reason}: ${detail}`);
    Object.assign(this, { reason, alarm, duplicate });
  }
}

export function refuse(reason, detail, flags) { throw new Refusal(reason, detail, flags); }
export const malformed = (detail) => refuse('malformed', detail);
export const broken = (detail, flags) => refuse('broken seal', detail, flags);
