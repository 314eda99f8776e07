// The keyboard: every key of the help, and nothing that a browser needs itself.

import { byId } from './dom.js';

export function keyboard(app) {
  const live = () => {
    if (app.big.open) app.big.dialog.close();
    const tile = focused();
    tile?.root.focus({ preventScroll: true });
    scrollTo({ top: 0 });
    return tile;
  };
  const focused = () => [...app.tiles.values()].find((t) => t.root.contains(document.activeElement)) ?? [...app.tiles.values()][0];
  const plain = {
    l: () => live()?.watch(),
    n: () => focused()?.question(),
    b: () => { if (!byId('bench-button').hidden) app.bench.toggle(); },
    p: () => app.proof.open(),
    '?': () => { if (!byId('help').open) byId('help').showModal(); },
    ArrowUp: () => app.list.step(-1),
    ArrowDown: () => app.list.step(1),
    ' ': () => app.list.step(0),
    Escape: () => { for (const t of app.tiles.values()) t.watch(false); if (!byId('bench').hidden) app.bench.toggle(false); },
  };
  const big = {
    l: live, ArrowLeft: () => app.big.step(-1), ArrowRight: () => app.big.step(1),
    ' ': () => { if (app.big.clip) app.big.player.toggled(); else app.big.dialog.close(); },
    ',': () => { if (app.big.clip) app.big.player.step(-1); },
    '.': () => { if (app.big.clip) app.big.player.step(1); },
  };
  const film = { ',': () => app.proof.player.step(-1), '.': () => app.proof.player.step(1) };
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || e.defaultPrevented) return;
    const at = e.target;
    if (at.closest?.('input:not([type="range"]), select, textarea')) return;
    const press = at.closest?.('button, summary, a, [role="button"]');
    if (press && (e.key === ' ' || e.key === 'Enter')) return; // its own keys
    const act = (app.big.open ? big : document.querySelector('dialog[open]') ? film : plain)[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    if (!act) return;
    e.preventDefault();
    act();
  });
}
