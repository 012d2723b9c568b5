// The chat page. It speaks the managed protocol itself, so that a reader sees all of it: $hello and $welcome, numbered
// messages that wait until they are acknowledged, positions in rooms, and the way back after a lost connection.

const $ = (id) => document.getElementById(id);

/** The connection: one socket at a time, and everything that outlives it. */
class Link {
  #socket = null;
  #client = crypto.getRandomValues(new Uint32Array(6)).join("-"); // names this tab to the server's record of it
  #session = null;
  #seq = 0;
  #outbox = []; // {seq, frame, sent}, until acknowledged
  #positions = new Map(); // room → [epoch, offset]
  #questions = new Map(); // ref → what to do with the answer
  #attempt = 0;
  #timers = { retry: 0, silence: 0, health: 0 };
  #heard = 0;
  #welcomed = false;
  #rhythm = { intervalMs: 30000, timeoutMs: 60000 };
  #window = null; // over how long the server wants its clients to return
  #ended = false;

  /** @param login gives a fresh {token, port, path}; @param on {state, message, joined, error} */
  constructor(login, on) {
    this.login = login;
    this.on = on;
    addEventListener("online", () => this.#hurry());
  }

  async connect() {
    clearTimeout(this.#timers.retry);
    this.on.state("connecting");
    try {
      const pass = await this.login();
      const secure = location.protocol === "https:" ? "wss" : "ws";
      const socket = new WebSocket(`${secure}://${location.hostname}:${pass.port}${pass.path}`, "realtime.v1");
      this.#socket = socket;
      const watchdog = setTimeout(() => socket.close(), 10000);
      socket.onopen = () => this.#raw({ type: "$hello", data: {
        token: pass.token, client: this.#client, session: this.#session ?? undefined,
        positions: Object.fromEntries([...this.#positions].filter(([, at]) => at)), agent: "realtime-chat-page",
      } });
      socket.onmessage = (event) => this.#receive(JSON.parse(event.data), watchdog);
      socket.onclose = (event) => {
        clearTimeout(watchdog);
        if (socket === this.#socket) this.#lost(event);
      };
    } catch (failure) {
      this.#lost({ code: 1006, reason: String(failure.message ?? failure) });
    }
  }

  /** Sends an event: a reliable one waits, numbered, until the server has processed it. */
  send(type, room, data, reliable = true) {
    const frame = { type, room, data };
    if (!reliable) return this.#ready() && this.#raw(frame);
    const entry = { seq: ++this.#seq, frame, sent: false };
    this.#outbox.push(entry);
    this.#flush();
    return entry.seq;
  }

  join(room) {
    if (!this.#positions.has(room)) this.#positions.set(room, null);
    if (this.#ready()) this.#ask(room);
  }

  #ready() { return this.#welcomed && this.#socket?.readyState === WebSocket.OPEN; }

  #raw(frame) { this.#socket.send(JSON.stringify(frame)); }

  #ask(room) {
    const since = this.#positions.get(room);
    const ref = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.#questions.set(ref, (reply) => {
      this.#positions.set(room, [reply.data.epoch, reply.data.offset]);
      this.on.joined(room, { first: !since, recovered: reply.data.recovered, members: reply.data.members });
    });
    this.#raw({ type: "$join", room, ref, data: since ? { since } : { history: 50 } });
  }

  #flush() {
    if (!this.#ready()) return;
    for (const entry of this.#outbox) {
      if (entry.again === false) continue;
      this.#raw({ ...entry.frame, seq: entry.seq, redelivered: entry.sent || undefined });
      entry.sent = true;
      entry.again = false;
    }
  }

  #receive(frame, watchdog) {
    this.#heard = Date.now();
    const { type, data, room } = frame;
    if (type === "$welcome") {
      clearTimeout(watchdog);
      this.#welcome(data);
    } else if (type === "$ack") {
      this.#outbox = this.#outbox.filter((entry) => entry.seq > data.seq);
    } else if (type === "$reply" && this.#questions.has(frame.ref)) {
      this.#questions.get(frame.ref)(frame);
      this.#questions.delete(frame.ref);
    } else if (type === "$goodbye") {
      this.#window = data.retry;
    } else if (type === "$gap") {
      this.#positions.set(room, [data.epoch, data.offset]);
      this.on.joined(room, { first: false, recovered: false });
    } else if (type === "$error") {
      this.on.error(data, frame.seq);
    } else if (!type.startsWith("$") && this.#isNew(room, frame.offset)) {
      this.on.message(frame);
    }
  }

  /** Moves the position; false for what was seen before. */
  #isNew(room, offset) {
    const position = this.#positions.get(room);
    if (!offset || !position) return true;
    if (offset <= position[1]) return false;
    position[1] = offset;
    return true;
  }

  #welcome(data) {
    const rooms = [...this.#positions.keys()].filter((name) => !name.startsWith("@"));
    this.#session = data.session;
    this.#welcomed = true;
    this.#rhythm = data.heartbeat;
    this.#outbox = this.#outbox.filter((entry) => entry.seq > data.seq);
    for (const entry of this.#outbox) entry.again = true;
    for (const [name, at] of Object.entries(data.rooms)) this.#positions.set(name, [at.epoch, at.offset]);
    for (const name of rooms) {
      const at = data.rooms[name];
      if (at && at.reason !== "unauthorized") this.on.joined(name, { first: false, recovered: at.recovered });
      else this.#ask(name);
    }
    this.on.state("open");
    this.#flush();
    this.#timers.health = setTimeout(() => { this.#attempt = 0; }, 10000);
    this.#watch();
  }

  /** A page sees no control frames: it asks when it has heard nothing, and gives up when nothing comes. */
  #watch() {
    clearInterval(this.#timers.silence);
    this.#timers.silence = setInterval(() => {
      const silence = Date.now() - this.#heard;
      if (silence >= this.#rhythm.timeoutMs) {
        this.#socket.close();
        this.#lost({ code: 4105, reason: "nothing heard" });
      } else if (silence >= this.#rhythm.intervalMs && this.#ready()) this.#raw({ type: "$ping" });
    }, 1000);
  }

  #lost({ code, reason }) {
    this.#socket = null;
    this.#welcomed = false;
    this.#questions.clear();
    clearInterval(this.#timers.silence);
    clearTimeout(this.#timers.health);
    const never = [1000, 1002, 1003, 1007, 1008, 1010].includes(code) || (code >= 4000 && code < 4100);
    if (never) {
      this.#ended = true;
      this.on.state("closed", { reason: reason || `code ${code}` });
      return;
    }
    this.#attempt++;
    const spread = this.#window ?? { minMs: 100, maxMs: Math.min(15000, 500 * 2 ** this.#attempt) };
    this.#window = null; // asked for once, for the first attempt
    const delay = Math.max(100, spread.minMs + Math.random() * (spread.maxMs - spread.minMs));
    this.on.state("waiting", { at: Date.now() + delay });
    this.#timers.retry = setTimeout(() => this.connect(), delay);
  }

  #hurry() {
    if (!this.#socket && !this.#ended) this.connect();
  }
}

/** A room as the page shows it. */
class Room {
  messages = [];
  pending = []; // {seq, text}: said here, not yet heard back
  typing = new Map(); // user → until when
  unread = 0;
  people = 0;
  constructor(name) { this.name = name; }
}

const rooms = new Map();
let me = "";
let current = null;
let link = null;
let typingSince = 0;
let waiting = null;

const wire = (name) => `chat:${name}`;
const hue = (text) => [...text].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 360, 7);
const initials = (text) => text.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((w) => [...w][0].toUpperCase()).join("");

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "hue") made.style.setProperty("--hue", value); // through the DOM: the page's policy allows no inline style
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

async function login() {
  const response = await fetch("/token", { method: "POST", body: JSON.stringify({ name: me }) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

const events = {
  state(state, more = {}) {
    const texts = { connecting: "connecting", open: "connected", closed: `closed: ${more.reason}` };
    clearInterval(waiting);
    const status = $("status");
    status.dataset.state = state;
    const show = () => {
      const seconds = Math.max(0, Math.ceil((more.at - Date.now()) / 1000));
      status.textContent = state === "waiting" ? `offline, next try in ${seconds} s` : texts[state];
    };
    show();
    if (state === "waiting") waiting = setInterval(show, 250);
  },
  joined(name, { first, recovered, members }) {
    const room = rooms.get(name.slice(5));
    if (!room) return;
    if (members !== undefined) room.people = members;
    if (!first && !recovered) note(room, "The server restarted, or we were away for long: messages may be missing above.");
    if (room === current) show(room);
  },
  message({ type, room: name, data, from, ts }) {
    const room = rooms.get((name ?? "").startsWith("chat:") ? name.slice(5) : current?.name);
    if (!room) return;
    if (type === "typing") {
      if (data.on) room.typing.set(data.user, Date.now() + 6000);
      else room.typing.delete(data.user);
      return showTyping();
    }
    if (type !== "said") return;
    room.typing.delete(data.user);
    const mine = from === me ? room.pending.findIndex((entry) => entry.text === data.text) : -1;
    if (mine >= 0) room.pending.splice(mine, 1);
    room.messages.push({ user: data.user, text: data.text, ts });
    if (room.messages.length > 500) room.messages.shift();
    if (room !== current || document.hidden) room.unread++;
    showRooms();
    if (room === current) show(room);
  },
  error(error, seq) {
    for (const room of rooms.values()) room.pending = room.pending.filter((entry) => entry.seq !== seq);
    if (current) note(current, error.message);
  },
};

function note(room, text) {
  room.messages.push({ note: text });
  if (room === current) show(room);
}

function open(name) {
  const clean = name.trim().slice(0, 40);
  if (!clean) return;
  if (!rooms.has(clean)) {
    rooms.set(clean, new Room(clean));
    link.join(wire(clean));
  }
  current = rooms.get(clean);
  current.unread = 0;
  showRooms();
  show(current);
  $("text").focus();
}

function showRooms() {
  $("rooms").replaceChildren(...[...rooms.values()].map((room) => {
    const button = element("button", { type: "button", "aria-current": String(room === current) }, `# ${room.name}`);
    if (room.unread) button.append(element("span", { class: "badge", "aria-label": `${room.unread} unread` }, String(room.unread)));
    button.onclick = () => open(room.name);
    return button;
  }));
  const unread = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  document.title = (unread ? `(${unread}) ` : "") + "Realtime chat";
}

function show(room) {
  const scroll = $("scroll");
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const switched = $("title").textContent !== `# ${room.name}`;
  $("title").textContent = `# ${room.name}`;
  $("people").textContent = room.people ? `${room.people} here when you came` : "";
  const all = [...room.messages, ...room.pending.map((entry) => ({ user: me, text: entry.text, pending: true }))];
  let before = null;
  $("messages").replaceChildren(...all.map((message) => {
    const item = bubble(message, before);
    before = message;
    return item;
  }));
  $("empty").hidden = all.length > 0;
  if (atEnd || switched) scroll.scrollTop = scroll.scrollHeight;
  showTyping();
}

function bubble(message, before) {
  if (message.note) return element("li", { class: "note" }, message.note);
  const first = before?.user !== message.user || (message.ts ?? 0) - (before?.ts ?? 0) > 300000;
  const classes = [message.user === me && "mine", first && "first", message.pending && "pending"].filter(Boolean).join(" ");
  const body = element("div", { class: "body" });
  if (first) {
    const by = element("div", { class: "by", hue: hue(message.user) }, message.user === me ? "you" : message.user);
    if (message.ts) {
      const at = new Date(message.ts);
      by.append(element("time", { datetime: at.toISOString() }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
    }
    body.append(by);
  }
  body.append(element("div", { class: "bubble", dir: "auto" }, message.text));
  const avatar = first
    ? element("div", { class: "avatar", hue: hue(message.user), "aria-hidden": "true" }, initials(message.user))
    : element("div");
  return element("li", { class: classes }, avatar, body);
}

function showTyping() {
  const now = Date.now();
  for (const [user, until] of current?.typing ?? []) if (until < now) current.typing.delete(user);
  const users = [...(current?.typing.keys() ?? [])];
  const text = users.length === 0 ? "" : users.length === 1 ? `${users[0]} is typing` : `${users.slice(0, 3).join(", ")} are typing`;
  const dots = element("span", { class: "dots", "aria-hidden": "true" }, element("i"), element("i"), element("i"));
  $("typing").replaceChildren(...(text ? [dots, text] : []));
}

function tellTyping(on) {
  const now = Date.now();
  if (on && now - typingSince < 3000) return;
  typingSince = on ? now : 0;
  link.send("typing", wire(current.name), { on }, false);
}

$("login-form").onsubmit = async (event) => {
  event.preventDefault();
  me = $("name").value.trim();
  try {
    await login(); // the name is checked before the page is left
  } catch (failure) {
    $("login-error").textContent = failure.message;
    return;
  }
  $("login").hidden = true;
  $("app").hidden = false;
  $("me").textContent = me;
  $("me-avatar").textContent = initials(me);
  $("me-avatar").style.setProperty("--hue", hue(me));
  link = new Link(login, events);
  open($("first-room").value);
  link.connect();
};

$("room-form").onsubmit = (event) => {
  event.preventDefault();
  open($("room-name").value);
  $("room-name").value = "";
};

$("say-form").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  tellTyping(false);
  const seq = link.send("say", wire(current.name), { text });
  current.pending.push({ seq, text });
  show(current);
  $("scroll").scrollTop = $("scroll").scrollHeight;
};

$("text").oninput = () => tellTyping($("text").value !== "");
setInterval(showTyping, 1000);
document.onvisibilitychange = () => {
  if (!document.hidden && current) {
    current.unread = 0;
    showRooms();
  }
};
