// A chat by hand, in the protocol's plain mode. Link: one WebSocket after the other. Room: a log with members, this
// page's position in it, and what waits to be said. view: the page; data enters it as text only.

const HISTORY = 50;              // how much of a room a newcomer reads
const KEPT = 500;                // how many messages of a room the page keeps
const BACKOFF = {first: 500, floor: 100, cap: 15_000};
const HEALTHY = 10_000;          // a connection this old has earned a fresh backoff
const TYPING_EVERY = 2_000;      // how often "is typing" is repeated
const TYPING_LASTS = 5_000;      // how long it is believed without being repeated
const GROUP = 5 * 60_000;        // messages this close together share one heading
const DEFAULT_ROOMS = ['lobby', 'garden', 'workshop'];

const $ = id => document.getElementById(id);

/** One WebSocket after the other, for as long as it is wanted. Tells `on` what happens. */
class Link {
  constructor(name, on) {
    Object.assign(this, {name, on, attempt: 0, refs: 0, asked: new Map(), heartbeat: {intervalMs: 30_000, timeoutMs: 60_000}});
    setInterval(() => this.watch(), 1000);
  }

  /** Connects with a fresh token: the last one may have expired, or belong to a server that is gone. */
  async connect() {
    clearTimeout(this.timer);
    if (this.stopped || this.socket || this.dialing) return;
    this.dialing = true;
    this.on.state('connecting');
    try {
      const login = await fetchToken(this.name);
      if (this.stopped) return;
      const url = `ws://${location.hostname}:${login.port}${login.path}?token=${encodeURIComponent(login.token)}`;
      const socket = this.socket = new WebSocket(url);
      this.heard = Date.now();
      this.pinged = 0;
      socket.onmessage = event => socket === this.socket
        && this.receive(typeof event.data === 'string' ? JSON.parse(event.data) : {});  // bytes are for others
      socket.onclose = event => socket === this.socket && this.lost(event.code, event.reason);
    } catch (failure) {
      this.later(failure);
    } finally {
      this.dialing = false;
    }
  }

  receive(frame) {
    this.heard = Date.now();
    if (frame.type === '$welcome') {
      this.welcomed = Date.now();
      this.heartbeat = frame.data.heartbeat ?? this.heartbeat;
      this.on.welcome(frame.data);
      this.on.state('open');
    } else if (frame.type === '$goodbye') {
      this.window = frame.data.retry;
    } else if (frame.type === '$reply' || (frame.type === '$error' && frame.ref)) {
      const answer = this.asked.get(frame.ref);
      this.asked.delete(frame.ref);
      answer?.(frame.type === '$error' ? frame.data : null, frame.data);
    } else {
      this.on.frame(frame);
    }
  }

  get open() { return Boolean(this.welcomed); }

  send(frame) {
    if (this.open && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** Sends with a ref; `answer(error, data)` is called once, or never when the connection is lost before. */
  ask(frame, answer) {
    const ref = String(++this.refs);
    this.asked.set(ref, answer);
    this.send({...frame, ref});
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
    const {socket, welcomed} = this;
    this.socket = null;
    this.welcomed = 0;
    this.asked.clear();
    socket?.close();
    if (this.stopped) return;
    if (welcomed && Date.now() - welcomed > HEALTHY) this.attempt = 0;
    if (code === 1000 || code === 1002 || code === 1003 || code === 1007 || code === 1010 || (code >= 4000 && code < 4100)) {
      this.on.state('offline', {why: reason || `closed with ${code}`});  // for good, as the protocol says
    } else if (code >= 4300 && code < 4400 && this.attempt === 0) {
      this.attempt++;
      this.connect();                                                    // the token expired: a fresh one at once
    } else {
      this.later();
    }
  }

  /** Full jitter: many pages that lost the same server must not come back in step. */
  later(failure) {
    if (this.stopped) return;
    const {first, floor, cap} = BACKOFF;
    const ceiling = Math.min(cap, first * 2 ** Math.min(this.attempt++, 10));
    let delay = Math.max(floor, Math.random() * ceiling);
    if (this.window) delay = this.window.minMs + Math.random() * (Math.min(this.window.maxMs, cap) - this.window.minMs);
    this.window = null;
    this.timer = setTimeout(() => this.connect(), delay);
    this.on.state('waiting', {until: Date.now() + delay, why: failure?.message});
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }
}

async function fetchToken(name) {
  const headers = {'Content-Type': 'application/json'};
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch('token', {method: 'POST', headers, body: JSON.stringify({name}), signal});
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? `the page's server answered ${answer.status}`);
  return body;
}

/** A room as this page knows it. */
class Room {
  constructor(label) {
    // epoch and offset are its position; unsent is what waits to be said, `held` what arrived while history is read again
    Object.assign(this, {label, name: `chat:${label}`, epoch: null, offset: 0, entries: [], unsent: [], typing: new Map(), unread: 0, held: null, ready: false, draft: ''});
  }

  /** Joins, for the first time with some history, later from the position that this page has reached. */
  join() {
    const known = this.epoch !== null;
    const data = known ? {since: [this.epoch, this.offset]} : {history: HISTORY};
    this.ready = false;
    this.typing.clear();
    link.ask({type: '$join', room: this.name, data}, (error, reply) => {
      if (error) return this.note(`You cannot be in this room: ${error.message}`, true);
      const lost = known && reply.recovered === false;
      if (lost && this.offset > 0) {
        this.note('The server no longer has the history from before. Some messages may be missing here.', true);
      }
      this.held = lost ? [] : null;
      const sameLog = reply.epoch === this.epoch;
      if (lost ? !sameLog : !known) this.offset = lost ? 0 : reply.offset;
      this.epoch = reply.epoch;
      // Also a barrier: its reply follows the replay, so what is still unconfirmed by then never arrived.
      link.ask({type: '$history', room: this.name, data: {limit: lost ? HISTORY : 1}}, (failed, page) => {
        const held = this.held ?? [];
        this.held = null;
        if (lost && !failed) page.messages.forEach(frame => this.accept(frame, false));
        held.forEach(frame => this.accept(frame, false));
        this.ready = true;
        this.unsent.forEach(message => { message.sent = false; });
        this.flush();
        view.room(this);
      });
    });
  }

  /** Takes a message of the room's log, each offset once. */
  accept(frame, fresh = true) {
    if (this.held) return void this.held.push(frame);
    if (frame.offset !== undefined) {
      if (frame.offset <= this.offset) return;
      this.offset = frame.offset;
    }
    if (frame.type !== 'said') return;
    const message = {user: frame.data.user, text: frame.data.text, ts: frame.ts ?? Date.now()};
    this.typing.delete(message.user);
    if (message.user === me) this.confirm(message.text);
    this.entries.push(message);
    if (this.entries.length > KEPT) this.entries.shift();
    if (this !== current || document.hidden) this.unread += message.user === me ? 0 : 1;
    view.room(this, fresh && message);
  }

  note(text, warn = false) {
    const last = this.entries.at(-1);
    if (last?.note === text) this.entries.pop(); // a server that comes and goes says it once
    this.entries.push({note: text, warn});
    view.room(this);
  }

  say(text) {
    this.unsent.push({user: me, text, ts: Date.now(), sent: false});
    this.flush();
    view.room(this, this.unsent.at(-1));
  }

  /** Sends what waits, one at a time: so the order stays, and it is known which one an error is about. */
  flush() {
    const next = this.unsent.find(message => !message.failed);
    if (!next || next.sent || !this.ready || !link.open) return;
    next.sent = true;
    link.ask({type: 'say', room: this.name, data: {text: next.text}}, error => {
      if (error?.retryable) {
        setTimeout(() => { next.sent = false; this.flush(); }, error.retryAfterMs ?? 1000);
      } else if (error) {
        next.failed = error.message;
        this.flush();
        view.room(this);
      }
    });
  }

  /** The room's log holds it now: it waits no more. Unless it was said in another window of the same name. */
  confirm(text) {
    const index = this.unsent.findIndex(message => message.sent && message.text === text);
    if (index >= 0) this.unsent.splice(index, 1);
    this.flush();
  }

  hears(user, on) {
    if (user === me) return;
    if (on) this.typing.set(user, Date.now() + TYPING_LASTS);
    else this.typing.delete(user);
    view.typing();
  }
}

const rooms = new Map();         // by name on the wire
let me = '';
let link;
let current;
let state = {name: 'connecting'};

function openRoom(label) {
  const wanted = label.trim().toLowerCase().replace(/\s+/g, '-');
  if (!wanted) return;
  let room = rooms.get(`chat:${wanted}`);
  if (!room) {
    room = new Room(wanted);
    rooms.set(room.name, room);
    if (link.open) room.join();
  }
  if (current) stopTyping();
  if (current) current.draft = $('text').value;
  current = room;
  sessionStorage.setItem('room', wanted);
  $('text').value = room.draft;
  grow();
  view.all();
  $('text').focus();
}

function start(name, label) {
  me = name;
  sessionStorage.setItem('name', name);
  link = new Link(name, {
    state(next, details = {}) {
      state = {name: next, ...details};
      view.state();
      if (next !== 'open') for (const room of rooms.values()) { room.ready = false; room.typing.clear(); }
      view.room(current);
    },
    welcome() {
      for (const room of rooms.values()) room.join();
    },
    frame(frame) {
      const room = rooms.get(frame.room);
      if (frame.type === 'typing') room?.hears(frame.data.user, frame.data.on);
      else if (frame.type === '$error') view.toast(frame.data.message);
      else if (frame.type === '$gap' && room) room.join();
      else if (room) room.accept(frame);
      else if (frame.type === 'said') view.toast(`${frame.data.user}: ${frame.data.text}`); // to this user, or to everyone
    },
  });
  for (const known of DEFAULT_ROOMS) rooms.set(`chat:${known}`, new Room(known));
  $('login').hidden = true;
  $('app').hidden = false;
  $('my-name').textContent = name;
  view.avatar($('my-avatar'), name);
  openRoom(label);
  link.connect();
}

// ---------------------------------------------------------------- typing

let typingSaid = 0;
let typingStops;

function tellTyping() {
  clearTimeout(typingStops);
  if (!$('text').value.trim()) return stopTyping();
  typingStops = setTimeout(stopTyping, TYPING_LASTS - 1000);
  if (Date.now() - typingSaid < TYPING_EVERY || !current.ready) return;
  typingSaid = Date.now();
  link.send({type: 'typing', room: current.name, data: {on: true}});
}

function stopTyping() {
  clearTimeout(typingStops);
  if (typingSaid && current.ready) link.send({type: 'typing', room: current.name, data: {on: false}});
  typingSaid = 0;
}

// ---------------------------------------------------------------- the page

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function hue(name) {
  let hash = 7;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 9973;
  return hash * 137 % 360;       // the golden angle keeps neighbours apart
}

const clock = new Intl.DateTimeFormat([], {hour: '2-digit', minute: '2-digit'});
const grow = () => { $('text').style.height = 'auto'; $('text').style.height = `${$('text').scrollHeight + 2}px`; };
const atBottom = () => $('scroll').scrollHeight - $('scroll').scrollTop - $('scroll').clientHeight < 80;
const toBottom = () => { $('scroll').scrollTop = $('scroll').scrollHeight; };

const view = {
  all() {
    $('room-title').textContent = current.label;
    $('log').replaceChildren();
    current.unread = 0;
    view.room(current);
    toBottom();
    view.typing();
    view.state();
  },

  /** Shows what a room holds. Lines that are there already stay, so that a screen reader reads only what is new. */
  room(room, fresh) {
    view.rooms();
    if (!room || room !== current) return;
    const stick = atBottom() || fresh?.user === me;
    const lines = [...room.entries, ...room.unsent];
    const log = $('log');
    lines.forEach((entry, index) => {
      const look = view.look(entry, lines[index - 1]);
      let node = log.children[index];
      while (node && node.entry !== entry && !lines.includes(node.entry)) { // confirmed, or too old to keep
        const gone = node;
        node = node.nextSibling;
        gone.remove();
      }
      if (node?.entry === entry && node.look === look) return;
      const made = entry.note ? element('li', look, entry.note) : view.message(entry, look);
      Object.assign(made, {entry, look});
      if (entry === fresh) made.classList.add('fresh');
      if (node?.entry === entry) node.replaceWith(made);
      else log.insertBefore(made, node ?? null);
    });
    while (log.children.length > lines.length) log.lastChild.remove();
    $('empty').hidden = lines.length > 0;
    if (stick) toBottom();
    $('newer').hidden = stick || atBottom() || !(fresh || !$('newer').hidden);
    view.typing();
  },

  look(entry, before) {
    if (entry.note) return entry.warn ? 'note warn' : 'note';
    const first = !before || before.note || before.user !== entry.user || entry.ts - before.ts > GROUP;
    const waits = current.unsent.includes(entry);
    return Object.entries({message: true, mine: entry.user === me, first, pending: waits, failed: entry.failed,
      sending: waits && current.ready}).filter(([, holds]) => holds).map(([word]) => word).join(' ');
  },

  message(entry, look) {
    const item = element('li', look);
    item.style.setProperty('--hue', hue(entry.user));
    const avatar = element('span', 'avatar');
    avatar.setAttribute('aria-hidden', 'true');
    view.avatar(avatar, entry.user);
    const meta = element('div', 'meta');
    const time = element('time', '', clock.format(entry.ts));
    time.dateTime = new Date(entry.ts).toISOString();
    meta.append(element('b', '', entry.user), time);
    const bubble = element('div', 'bubble', entry.text);
    bubble.title = new Date(entry.ts).toLocaleString();
    if (look.includes('pending')) {
      bubble.append(element('small', '', entry.failed ? `Not sent: ${entry.failed}`
        : look.includes('sending') ? 'Sending…' : 'Waiting for the connection…'));
    }
    item.append(avatar, meta, bubble);
    return item;
  },

  avatar(node, name) {
    node.textContent = name.trim().split(/\s+/).slice(0, 2).map(word => [...word][0]).join('').toUpperCase();
    node.style.setProperty('--hue', hue(name));
  },

  rooms() {
    const list = $('rooms');
    const all = [...rooms.values()];
    all.forEach((room, index) => {
      let item = list.children[index];
      if (!item) {
        list.append(item = element('li'));
        item.append(element('button'));
        item.firstChild.append(element('span', 'label', room.label));
        item.firstChild.onclick = () => openRoom(room.label);
      }
      const button = item.firstChild;
      button.ariaCurrent = room === current ? 'true' : null;
      const badge = button.querySelector('.badge') ?? element('span', 'badge');
      badge.textContent = room.unread > 99 ? '99+' : room.unread;
      badge.title = `${room.unread} unread`;
      if (!room.unread) badge.remove();
      else if (!badge.parentNode) button.append(badge);
    });
    const unread = all.reduce((sum, room) => sum + room.unread, 0);
    document.title = `${unread ? `(${unread}) ` : ''}${current ? `#${current.label} · ` : ''}Realtime chat`;
  },

  typing() {
    const now = Date.now();
    for (const [user, until] of current.typing) if (until < now) current.typing.delete(user);
    const users = [...current.typing.keys()];
    $('typing').classList.toggle('on', users.length > 0);
    if (users.length === 0) return;   // the words stay while the line fades
    const text = users.length > 3 ? 'Several people are typing'
      : `${users.join(', ').replace(/, ([^,]*)$/, ' and $1')} ${users.length > 1 ? 'are' : 'is'} typing`;
    if ($('typing-text').textContent !== text) $('typing-text').textContent = text;
  },

  state() {
    const seconds = Math.max(0, Math.ceil((state.until - Date.now()) / 1000));
    const words = {
      open: 'Connected',
      connecting: 'Connecting…',
      waiting: navigator.onLine ? `Reconnecting in ${seconds} s` : `Offline, next try in ${seconds} s`,
      offline: `Offline: ${state.why}`,
    };
    $('pill').dataset.state = state.name === 'waiting' && !navigator.onLine ? 'offline' : state.name;
    if ($('pill-text').textContent !== words[state.name]) $('pill-text').textContent = words[state.name];
    $('pill').title = state.why ?? '';
    const news = state.name === 'waiting' ? 'Reconnecting' : words[state.name]; // spoken once, not every second
    if ($('news').textContent !== news) $('news').textContent = news;
    $('retry').hidden = state.name !== 'waiting' && state.name !== 'offline';
  },

  toast(text) {
    $('toast').textContent = text;
    $('toast').hidden = false;
    clearTimeout(view.toastEnds);
    view.toastEnds = setTimeout(() => { $('toast').hidden = true; }, 5000);
  },
};

// ---------------------------------------------------------------- what people do

$('login-form').onsubmit = async event => {
  event.preventDefault();
  try {
    const {user} = await fetchToken($('name').value);
    start(user, $('start-room').value);
  } catch (failure) {
    $('name-error').textContent = failure.message;
  }
};
$('room-form').onsubmit = event => {
  event.preventDefault();
  openRoom($('new-room').value);
  event.target.reset();
};
$('composer').onsubmit = event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  grow();
  stopTyping();
  current.say(text);
};
$('text').oninput = () => { grow(); tellTyping(); };
$('text').onkeydown = event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
};
$('leave').onclick = () => { sessionStorage.clear(); link.stop(); location.reload(); };
$('retry').onclick = () => link.connect();
$('newer').onclick = toBottom;
$('scroll').onscroll = () => { if (atBottom()) $('newer').hidden = true; };
window.addEventListener('online', () => link?.connect());
window.addEventListener('offline', () => link && view.state());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && current) { current.unread = 0; view.rooms(); }
});
setInterval(() => { if (current) { view.state(); view.typing(); } }, 500);

if (sessionStorage.getItem('name')) start(sessionStorage.getItem('name'), sessionStorage.getItem('room') ?? 'lobby');
