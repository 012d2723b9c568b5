// A user's chat: conversations, their messages, what is to be sent, and what was read. The database behind the server is
// the truth: live messages say what is new, and whatever is missing is loaded. Nothing here knows the page.

import {Conversation} from './conversation.js';

const PAGE = 50;                 // how many messages are loaded at once
const FAR_BEHIND = 200;          // beyond this many missing messages the newest page replaces the window
const RETRY = {first: 1000, cap: 15_000};
const READ_DELAY = 300;          // read marks are told at most this often
const TYPING_EVERY = 2_000;      // how often "is typing" is repeated
const TYPING_LASTS = 5_000;      // how long it is believed without being repeated

export class Chat {
  /**
   * @param link sends and asks, as Link does
   * @param storage keeps what waits to be sent, like sessionStorage
   * @param on `changed(conversation)`, `older(conversation)` after older messages were added, `notice(text)`
   */
  constructor(me, link, storage, on) {
    Object.assign(this, {me, link, storage, on, conversations: new Map(), current: null, visible: true, life: 0});
    for (const [name, pending] of Object.entries(JSON.parse(storage.getItem('pending') ?? '{}'))) {
      this.conversation(name).pending = pending;
    }
  }

  /** Returns a conversation, a new one if there is none. */
  conversation(name) {
    let found = this.conversations.get(name);
    if (!found) this.conversations.set(name, found = new Conversation(name));
    return found;
  }

  /** Shows a conversation: its messages are loaded, and read. */
  show(name) {
    const isNew = !this.conversations.has(name);
    this.stopTyping();
    this.current = this.conversation(name);
    if (this.link.open && (isNew || this.needsJoin(this.current))) this.enter([this.current]);
    else if (!this.current.loaded) this.catchUp(this.current);
    this.markRead();
    this.on.changed(this.current);
  }

  /** Begins on a new connection. */
  welcome() {
    this.life++;
    return this.enter([...this.conversations.values()]);
  }

  needsJoin({isRoom, joined, refused}) {
    return isRoom && joined !== this.life && !refused;
  }

  async join(room) {
    const {life} = this;
    const answer = await this.insist(life, {type: '$join', room: room.name, data: {}});
    if (!answer) return;
    room.refused = answer.error ? answer.error.message : null;
    if (!answer.error) room.joined = life;
  }

  // Joins first, so that no message falls between the list and the live ones.
  async enter(conversations) {
    const {life} = this;
    const rooms = conversations.filter(({isRoom}) => isRoom);
    await Promise.all(rooms.map(room => this.join(room)));
    if (life !== this.life) return;
    const names = rooms.filter(({joined}) => joined === life).map(({name}) => name);
    for (let start = 0; start === 0 || start < names.length; start += PAGE) {
      const ends = new Map([...this.conversations.values()].map(({name, end}) => [name, end]));
      const summaries = await this.persist(life, {type: 'open', data: {rooms: names.slice(start, start + PAGE)}});
      if (life !== this.life || !this.link.open) return;
      summaries?.forEach(summary => this.compare(summary, ends)); // if it was refused, the others go on
    }
    // Rooms that another page of the user has opened.
    const others = [...this.conversations.values()].filter(each => this.needsJoin(each) && !conversations.includes(each));
    if (others.length > 0) await this.enter(others);
    if (life !== this.life) return;
    for (const each of this.conversations.values()) {
      if (each === this.current || each.loaded) this.catchUp(each);
      this.flush(each);
    }
    this.markRead();
    this.on.changed();
  }

  /** @param ends where the windows ended when this was asked for; live messages may have come since */
  compare({conversation, last, read}, ends) {
    const known = this.conversation(conversation);
    if (last < (ends.get(conversation) ?? 0)) known.forget(); // the server has another database now
    if (read < known.read && known.read <= last) this.tellRead(known); // the connection was lost before it was told
    known.learn({last, read});
  }

  /** Returns the data of an answer. Returns null when the connection is another one, or the server refuses. */
  async persist(life, frame) {
    const answer = await this.insist(life, frame);
    if (answer?.error) this.on.notice(answer.error.message);
    return answer?.data ?? null;
  }

  /** Asks until there is an answer that another attempt would not change. Returns null when the connection is over. */
  async insist(life, frame) {
    for (let delay = RETRY.first; life === this.life; delay = Math.min(RETRY.cap, delay * 2)) {
      const answer = await this.link.ask(frame);
      const {error} = answer;
      if (!error || (!error.retryable && error.code !== 'rate_limited')) return life === this.life ? answer : null;
      if (!this.link.open) return null;
      await new Promise(done => setTimeout(done, error.retryAfterMs ?? delay));
    }
    return null;
  }

  /** Loads what the window lacks at its end. */
  async catchUp(conversation) {
    const {life} = this;
    if (conversation.loading === life || !this.link.open || conversation.refused) return;
    conversation.loading = life;
    while (!conversation.loaded || conversation.behind) {
      const fresh = !conversation.loaded || conversation.last - conversation.end > FAR_BEHIND;
      const data = {conversation: conversation.name, limit: PAGE, ...(!fresh && {after: conversation.end})};
      const page = await this.persist(life, {type: 'page', data});
      if (!page) break;
      if (fresh) conversation.reset(page);
      else conversation.append(page.messages);
      this.save();
      this.on.changed(conversation);
      if (page.messages.length === 0) break;
    }
    if (conversation.loading === life) conversation.loading = 0;
    this.markRead();
  }

  /** Loads the page before the window. */
  async older(conversation) {
    const {life} = this;
    if (conversation.begins || !conversation.loaded || conversation.loadingOlder === life || !this.link.open) return;
    conversation.loadingOlder = life;
    const data = {conversation: conversation.name, limit: PAGE, before: conversation.first};
    const page = await this.persist(life, {type: 'page', data});
    if (page) conversation.prepend(page);
    if (conversation.loadingOlder === life) conversation.loadingOlder = 0;
    this.on.older(conversation);
  }

  receive({type, room, data}) {
    if (type === 'said') {
      const conversation = this.conversation(data.conversation);
      conversation.typing.delete(data.user);
      conversation.take(data, data.user === this.me);
      this.save();
      if (conversation.behind) this.catchUp(conversation);
      this.markRead();
      this.on.changed(conversation, data);
    } else if (type === 'read') {
      this.conversation(data.conversation).learn({read: data.number});
      this.on.changed();
    } else if (type === 'typing') {
      this.hears(data);
    } else if (type === '$gap') {
      // Some live messages were left out. A gap in the inbox may be one in any conversation.
      const known = this.conversations.get(room);
      this.enter(known ? [known] : [...this.conversations.values()]);
    } else if (type === '$error') {
      this.on.notice(data.message);
    }
  }

  // Sending: kept until it is stored, and sent again under the same id, which the server stores once.

  say(text) {
    const {current} = this;
    current.pending.push({id: randomId(), user: this.me, text, at: Date.now()});
    this.stopTyping();
    this.save();
    this.flush(current);
    this.on.changed(current, current.pending.at(-1));
  }

  /** Sends what waits, one at a time: so the order stays, and an error is about one message. */
  async flush(conversation) {
    const {life} = this;
    const next = conversation.pending.find(({sent, failed}) => !sent && !failed);
    if (!next || conversation.sending === life || !this.link.open) return;
    conversation.sending = life;
    const {id, text} = next;
    const {error} = await this.link.ask(conversation.isRoom
      ? {type: 'say', room: conversation.name, data: {id, text}}
      : {type: 'direct', data: {to: conversation.label, id, text}});
    if (life !== this.life) return;
    if (error && (error.retryable || error.code === 'rate_limited')) {
      next.delay = Math.min(RETRY.cap, (next.delay ?? RETRY.first / 2) * 2);
      await new Promise(done => setTimeout(done, error.retryAfterMs ?? next.delay));
      if (life !== this.life) return;
    } else if (error) {
      next.failed = error.message;
    } else {
      next.sent = true; // it is stored; the live message takes it from here
    }
    conversation.sending = 0;
    this.save();
    this.on.changed(conversation);
    this.flush(conversation);
  }

  /** Sends a message that was refused once more, or forgets it. */
  settle(conversation, message, again) {
    if (again) message.failed = null;
    else conversation.pending = conversation.pending.filter(other => other !== message);
    this.save();
    this.flush(conversation);
    this.on.changed(conversation);
  }

  get waiting() { return [...this.conversations.values()].some(({pending}) => pending.some(({sent}) => !sent)); }

  save() {
    const waiting = [...this.conversations.values()]
      .map(({name, pending}) => [name, pending.filter(({sent}) => !sent)])
      .filter(([, pending]) => pending.length);
    this.storage.setItem('pending', JSON.stringify(Object.fromEntries(waiting)));
  }

  // Reading: what is on a visible page is read. The mark is stored, and comes to all tabs of the user.

  markRead() {
    const {current} = this;
    if (!this.visible || !current?.loaded || !current.unread || current.behind || this.readTimer || !this.link.open) return;
    this.readTimer = setTimeout(() => {
      this.readTimer = null;
      if (!this.visible || current !== this.current || !current.unread) return this.markRead();
      current.learn({read: current.end});
      this.tellRead(current);
      this.on.changed();
    }, READ_DELAY);
  }

  tellRead({name, read}) { this.link.send({type: 'read', data: {conversation: name, number: read}}); }

  // Typing: ephemeral, and believed for a moment only.

  hears({conversation, user, on}) {
    if (user === this.me) return;
    const where = this.conversations.get(conversation);
    if (!where) return; // typing opens no conversation
    if (on) where.typing.set(user, Date.now() + TYPING_LASTS);
    else where.typing.delete(user);
    this.on.changed(where);
  }

  typed() {
    clearTimeout(this.typingStops);
    this.typingStops = setTimeout(() => this.stopTyping(), TYPING_LASTS - 1000);
    if (Date.now() - (this.typingTold ?? 0) < TYPING_EVERY) return;
    this.typingTold = Date.now();
    this.tellTyping(true);
  }

  stopTyping() {
    clearTimeout(this.typingStops);
    if (this.typingTold) this.tellTyping(false);
    this.typingTold = 0;
  }

  tellTyping(on) {
    const {name, isRoom, label} = this.current;
    this.link.send(isRoom ? {type: 'typing', room: name, data: {on}} : {type: 'typing', data: {on, to: label}});
  }
}

/** 128 bits. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}
