// How times, lengths and counts are said. Pure functions; times are
// milliseconds since 1970 unless the name says otherwise.

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const short = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const date = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long' });

// clock says "02:14:07", minute says "02:14".
export const clock = (t) => time.format(t);
export const minute = (t) => short.format(t);

// ago says how long ago something was, tenths only where they mean something.
// A camera whose clock runs ahead is "now", never in the future.
export function ago(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 9.95) return `${s.toFixed(1)} s ago`;
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return count(Math.floor(s / 86400), 'day') + ' ago';
}

// length says how long something lasted.
export function length(ms) {
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
  const m = Math.round(s / 60);
  return m % 60 ? `${Math.floor(m / 60)} h ${m % 60} min` : `${m / 60} h`;
}

// stamp says a place in a film, in seconds, to a tenth: "0:03.2".
export function stamp(s) {
  const tenths = Math.floor(s * 10 + 1e-6);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, '0')}.${tenths % 10}`;
}

// count says "1 picture", "3 pictures".
export const count = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

// list says "a", "a and b", "a, b and c".
export function list(names) {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

// bytes says a size.
export function bytes(n) {
  const unit = n < 1000 ? 0 : n < 1e6 ? 1 : n < 1e9 ? 2 : 3, v = n / 1000 ** unit;
  return `${v.toFixed(unit && v < 9.95 ? 1 : 0)}\u00a0${['B', 'kB', 'MB', 'GB'][unit]}`; // never broken over a line
}

// startOfDay is the local midnight at or before t.
export function startOfDay(t) {
  const d = new Date(t);
  d.setHours(0, 0, 0, 0);
  return d.getTime();
}

// day says "Today", "Yesterday" or the date.
export function day(t, now) {
  const start = startOfDay(t), today = startOfDay(now);
  if (start === today) return 'Today';
  if (start === startOfDay(today - 1)) return 'Yesterday';
  return date.format(t);
}

// moment says the date and the time.
export const moment = (t) => `${date.format(t)}, ${minute(t)}`;

// shortID says enough of an id to tell two apart.
export const shortID = (id) => (id ? `${id.slice(0, 4)}…${id.slice(-4)}` : 'unknown');

// The causes and the light of a picture, as a person says them.
export const cause = (c) => ({
  motion: 'Motion', request: 'You asked', period: 'Every so often',
  covered: 'Lens covered', blinded: 'Lens blinded', defocused: 'Out of focus', moved: 'Camera moved',
})[c] ?? 'Picture';
export const causeIcon = (c) => ({ motion: 'motion', request: 'asked', period: 'period' })[c] ?? 'camera';
export const light = (l) => ({ day: 'day', night: 'night', switching: 'light is changing' })[l] ?? '';
