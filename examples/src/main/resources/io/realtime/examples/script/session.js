// The protocol's managed mode by hand, as far as streams need it: one session over one WebSocket after the other, what was
// asked for sent again until it is acknowledged, and what is streamed taken once. Nothing here knows the page.

const BACKOFF = {first: 500, floor: 100, cap: 15_000};
const HEALTHY = 10_000;          // a connection this old has earned a fresh backoff
const AHEAD = 64;                // how many items of a stream may be on their way; the server begins with as many
const CREDIT_EVERY = 32;         // after how many messages it is told that they were taken,
const CREDIT_LENGTH = 65_536;    // or how many characters of them

/** A session for as long as it is wanted. */
export class Session {
  /**
   * @param login gives `{url, token}`, or a promise of it; asked before every attempt
   * @param onState is told `connecting`, `open`, `waiting` with `{until, why}`, or `offline` with `{why}`
   */
  constructor(login, onState) {
    Object.assign(this, {login, onState, client: randomId(), positions: {}, outbox: [], seq: 0, refs: 0,
      streams: new Map(), uncredited: 0, uncreditedLength: 0, attempt: 0, heartbeat: {intervalMs: 30_000, timeoutMs: 60_000}});
    setInterval(() => this.watch(), 1000);
  }

  /** Connects, unless it is connected or about to be. */
  async connect() {
    clearTimeout(this.timer);
    if (this.socket || this.dialing) return;
    this.dialing = true;
    this.onState('connecting');
    try {
      const {url, token} = await this.login();
      const socket = this.socket = new WebSocket(url, 'realtime.v1');
      this.heard = Date.now();
      this.pinged = 0;
      socket.onopen = () => socket === this.socket && this.hello(token);
      socket.onmessage = event => socket === this.socket && this.receive(JSON.parse(event.data), event.data.length);
      socket.onclose = event => socket === this.socket && this.lost(event.code, event.reason);
    } catch (failure) {
      this.later(failure.message);
    } finally {
      this.dialing = false;
    }
  }

  /**
   * Asks for a stream; while offline it waits. `on.item(data)` is told each item, once and in order; then one of `on.end()`
   * and `on.error({code, message})`. Returns a function that cancels: the stream ends with the error `cancelled`.
   */
  stream(type, data, on) {
    const ref = String(++this.refs);
    this.streams.set(ref, {on, items: 0});
    const request = this.keep({type, ref, data});
    return () => {
      if (!this.streams.has(ref)) return;
      if (request.sent || request.redelivered) return void this.keep({type: '$cancel', ref});
      this.forget(request);
      this.end(ref, {code: 'cancelled', message: 'it had not been sent'});
    };
  }

  get open() { return Boolean(this.welcomed); }

  hello(token) {
    const {client, id, positions} = this;
    this.send({type: '$hello', data: {token, client, agent: 'script-page', ...(id && {session: id, positions})}});
  }

  receive(frame, length) {
    this.heard = Date.now();
    if (frame.offset !== undefined && !this.advance(frame)) return;
    const {type, ref, data} = frame;
    const stream = this.streams.get(ref);
    if (type === '$welcome') this.welcome(data);
    else if (type === '$ack') this.outbox = this.outbox.filter(message => message.frame.seq > data.seq);
    else if (type === '$goodbye') this.window = data.retry;
    else if (type === '$gap') this.gap(frame);
    else if (type === '$next' && stream) { stream.items++; stream.on.item(data); }
    else if (type === '$end') this.end(ref);
    else if (type === '$error' && ref) this.end(ref, data);
    else if (type === '$error' && data.closeCode) this.why = data.message;
    if (frame.room === '@session') {
      this.uncreditedLength += length;
      if (++this.uncredited >= CREDIT_EVERY || this.uncreditedLength >= CREDIT_LENGTH) this.credit();
    }
  }

  /** Whether a message is new. What a resumption repeats lies at or below the position. */
  advance({room, offset}) {
    const position = this.positions[room];
    if (!position || offset <= position[1]) return false;
    position[1] = offset;
    return true;
  }

  welcome({session, resumed, seq, rooms, heartbeat}) {
    this.id = session;
    this.heartbeat = heartbeat ?? this.heartbeat;
    this.outbox = this.outbox.filter(message => message.frame.seq > seq);
    this.positions = Object.fromEntries(Object.entries(rooms).map(([room, {epoch, offset}]) => [room, [epoch, offset]]));
    if (!resumed || !rooms['@session'].recovered) this.loseStreams(resumed);
    this.welcomed = Date.now();
    this.flush();
    this.credit();
    this.onState('open');
  }

  gap({room, data}) {
    this.positions[room] = [data.epoch, data.offset];
    if (room === '@session') this.loseStreams(true);
  }

  /** What was on its way is gone. Streams go on only where nothing can have come of them yet. */
  loseStreams(resumed) {
    for (const [ref, stream] of [...this.streams]) {
      const request = this.outbox.find(message => message.frame.ref === ref && message.frame.type !== '$cancel');
      if (request && stream.items === 0 && !(resumed && (request.sent || request.redelivered))) continue;
      if (request) this.forget(request);
      if (resumed) this.keep({type: '$cancel', ref}); // or the server would wait for credit
      this.end(ref, {code: 'connection_lost', message: 'the server no longer has what came next'});
    }
  }

  end(ref, error) {
    const stream = this.streams.get(ref);
    this.streams.delete(ref);
    if (error) stream?.on.error(error);
    else stream?.on.end();
  }

  /** Tells what was taken, and lets each stream send more. */
  credit() {
    this.uncredited = this.uncreditedLength = 0;
    const streams = Object.fromEntries([...this.streams].map(([ref, {items}]) => [ref, items + AHEAD]));
    this.send({type: '$credit', data: {read: this.positions['@session'][1], streams}});
  }

  // What is kept until the server has acknowledged it.

  keep(frame) {
    const message = {frame: {...frame, seq: ++this.seq}};
    this.outbox.push(message);
    this.flush();
    return message;
  }

  forget(message) { this.outbox = this.outbox.filter(other => other !== message); }

  flush() {
    if (!this.open) return;
    for (const message of this.outbox.filter(each => !each.sent)) {
      message.sent = true;
      this.send(message.redelivered ? {...message.frame, redelivered: true} : message.frame);
    }
  }

  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  // A connection that ends.

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
    socket.close();
    for (const message of this.outbox) {
      message.redelivered ||= message.sent;
      message.sent = false;
    }
    if (welcomed && Date.now() - welcomed > HEALTHY) this.attempt = 0;
    if (code === 1000 || code === 1002 || code === 1003 || code === 1007 || code === 1010 || (code >= 4000 && code < 4100)) {
      this.onState('offline', {why: why || reason || `closed with ${code}`});  // for good, as the protocol says
    } else if (code >= 4300 && code < 4400 && this.attempt === 0) {
      this.attempt++;
      this.connect();                                                          // the token expired: a fresh one at once
    } else {
      this.later(why || reason);
    }
  }

  /** Full jitter: many pages that lost the same server must not come back in step. */
  later(why) {
    const {first, floor, cap} = BACKOFF;
    const ceiling = Math.min(cap, first * 2 ** Math.min(this.attempt++, 10));
    let delay = Math.max(floor, Math.random() * ceiling);
    if (this.window) delay = this.window.minMs + Math.random() * (Math.min(this.window.maxMs, cap) - this.window.minMs);
    this.window = null;
    this.timer = setTimeout(() => this.connect(), delay);
    this.onState('waiting', {until: Date.now() + delay, why});
  }
}

/** 128 bits. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}
