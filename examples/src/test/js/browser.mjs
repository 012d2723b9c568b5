// What the page's modules need of a browser: sockets that a test plays the server of, and time that it moves.

import {readFileSync} from 'node:fs';

const PAGES = new URL('../../main/resources/io/realtime/examples/', import.meta.url);

/** Loads a module of a page, with the modules that it imports. Node would take its .js for something else. */
export const load = (name, page = 'script') => import(address(name, page));

function address(name, page) {
  const text = readFileSync(new URL(`${page}/${name}`, PAGES), 'utf8')
    .replace(/(?<=from ')\.\/([\w.]+)(?=')/g, (whole, imported) => address(imported, page));
  return `data:text/javascript,${encodeURIComponent(text)}`.replaceAll("'", '%27');
}

let now = 0;
let timers = [];

/** Lets time pass, and what falls due in it happen. */
export function pass(ms) {
  const until = now + ms;
  for (;;) {
    const next = timers.filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0];
    if (!next) break;
    now = next.at;
    if (next.every) next.at += next.every;
    else timers.splice(timers.indexOf(next), 1);
    next.task();
  }
  now = until;
}

/** Lets promises that are settled go on. */
export const settle = () => new Promise(done => setImmediate(done));

/** The sockets that were opened, oldest first. */
export let sockets = [];

class FakeSocket {
  static OPEN = 1;

  constructor(url, protocol) {
    Object.assign(this, {url, protocol, readyState: 0, sent: []});
    sockets.push(this);
  }

  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }

  /** Takes what the page has sent since it was last asked. */
  take() { return this.sent.splice(0); }

  opens() { this.readyState = 1; this.onopen(); }
  says(...frames) { frames.forEach(frame => this.onmessage({data: JSON.stringify(frame)})); }
  breaks(code = 1006, reason = '') { this.readyState = 3; this.onclose({code, reason}); }
}

/** Begins anew: no sockets, no timers. */
export function reset() {
  sockets = [];
  timers = [];
  now = 1_000_000;
  globalThis.WebSocket = FakeSocket;
  globalThis.setTimeout = (task, ms) => { const timer = {task, at: now + ms}; timers.push(timer); return timer; };
  globalThis.setInterval = (task, every) => { timers.push({task, at: now + every, every}); };
  globalThis.clearTimeout = timer => { timers = timers.filter(other => other !== timer); };
  Date.now = () => now;
  Math.random = () => 0.5;
}
