// The protocol's plain mode: one WebSocket after the other, for as long as it is wanted. Nothing here knows the page.

const BACKOFF = {first: 500, floor: 100, cap: 15_000};
const HEALTHY = 10_000;          // a connection this old resets the backoff
const LOST = {code: 'connection_lost', message: 'the connection was lost', retryable: true};

/** Tells `on` what happens: `state(name, details)`, `welcome(data)`, and `frame(frame)` for frames without a ref. */
export class Link {
  /** @param login returns a promise of `{url}`, which holds a fresh token; called before every attempt */
  constructor(login, on) {
    Object.assign(this, {login, on, attempt: 0, refs: 0, asked: new Map(), heartbeat: {intervalMs: 30_000, timeoutMs: 60_000}});
    setInterval(() => this.watch(), 1000);
  }

  /** Connects, unless it is connected or about to be. */
  async connect() {
    clearTimeout(this.timer);
    if (this.stopped || this.socket || this.dialing) return;
    this.dialing = true;
    this.on.state('connecting');
    try {
      const {url} = await this.login();
      if (this.stopped) return;
      const socket = this.socket = new WebSocket(url);
      this.heard = Date.now();
      this.pinged = 0;
      socket.onmessage = event => socket === this.socket && typeof event.data === 'string' && this.receive(JSON.parse(event.data));
      socket.onclose = event => socket === this.socket && this.lost(event.code, event.reason);
    } catch (failure) {
      this.later(failure.message);
    } finally {
      this.dialing = false;
    }
  }

  get open() { return Boolean(this.welcomed); }

  /** Sends a frame; drops it while there is no connection. */
  send(frame) {
    if (this.open && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** Sends a frame with a ref. Resolves with `{data}` or `{error}`; a lost connection is a retryable error. */
  ask(frame) {
    if (!this.open) return Promise.resolve({error: LOST});
    const ref = String(++this.refs);
    return new Promise(answered => {
      this.asked.set(ref, answered);
      this.send({...frame, ref});
    });
  }

  receive(frame) {
    this.heard = Date.now();
    if (frame.type === '$welcome') {
      this.welcomed = Date.now();
      this.heartbeat = frame.data.heartbeat ?? this.heartbeat;
      this.on.state('open');
      this.on.welcome(frame.data);
    } else if (frame.type === '$goodbye') {
      this.window = frame.data.retry;
    } else if (frame.ref !== undefined) {
      const answered = this.asked.get(frame.ref);
      this.asked.delete(frame.ref);
      answered?.(frame.type === '$error' ? {error: frame.data} : {data: frame.data});
    } else {
      if (frame.type === '$error' && frame.data.closeCode) this.why = frame.data.message;
      this.on.frame(frame);
    }
  }

  /** A page cannot see the server's pings, so it asks when it hears nothing, and gives up when nobody answers. */
  watch() {
    if (!this.socket) return;
    const silent = Date.now() - this.heard;
    if (silent > this.heartbeat.timeoutMs) {
      this.lost(1006, 'the server fell silent');
    } else if (silent > this.heartbeat.intervalMs && this.pinged < this.heard) {
      this.pinged = Date.now();
      this.send({type: '$ping'});
    }
  }

  lost(code, reason) {
    const {socket, welcomed, why} = this;
    this.socket = null;
    this.welcomed = 0;
    this.why = null;
    socket?.close();
    const asked = [...this.asked.values()];
    this.asked.clear();
    asked.forEach(answered => answered({error: LOST}));
    if (this.stopped) return;
    if (welcomed && Date.now() - welcomed > HEALTHY) this.attempt = 0;
    if (code === 1000 || code === 1002 || code === 1003 || code === 1007 || code === 1010 || (code >= 4000 && code < 4100)) {
      this.on.state('closed', {why: why || reason || `closed with ${code}`}); // for good, as the protocol says
    } else if (code >= 4300 && code < 4400 && this.attempt === 0) {
      this.attempt++;
      this.connect();                                                         // the token expired: a fresh one at once
    } else {
      this.later(why || reason);
    }
  }

  /** Full jitter: pages that lost the same server must not come back in step. */
  later(why) {
    if (this.stopped) return;
    const {first, floor, cap} = BACKOFF;
    const ceiling = Math.min(cap, first * 2 ** Math.min(this.attempt++, 10));
    let delay = Math.max(floor, Math.random() * ceiling);
    if (this.window) delay = this.window.minMs + Math.random() * (Math.min(this.window.maxMs, cap) - this.window.minMs);
    this.window = null;
    this.timer = setTimeout(() => this.connect(), delay);
    this.on.state('waiting', {until: Date.now() + delay, why});
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }
}
