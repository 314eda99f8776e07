// Which camera the past is shown of: all, or one. Shown for two and more.

import { el } from './dom.js';

export class Filter {
  camera = ''; // '' for all

  constructor(root, change) {
    this.root = root;
    this.change = change;
  }

  show(cameras) {
    if (!cameras.some((c) => c.id === this.camera)) this.camera = '';
    this.root.hidden = cameras.length < 2;
    this.root.replaceChildren(...[{ id: '', name: 'All' }, ...cameras].map((c) => el('button', {
      type: 'button', 'aria-pressed': String(c.id === this.camera), onclick: () => { this.camera = c.id; this.show(cameras); this.change(); },
    }, c.name)));
  }
}
