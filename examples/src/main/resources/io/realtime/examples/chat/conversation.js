// One conversation as the page knows it: a window of its messages, without a hole, and what waits to be stored. Nothing
// here knows the page or the connection.

const KEPT = 500;                // how many messages the window holds; scrolling up loads the older ones again

export class Conversation {
  /** @param name `chat:lobby` for a room, `@bob` for the one with Bob */
  constructor(name) {
    // last: the number of the server's newest message, as far as is known. read: of the last one that the user has read.
    Object.assign(this, {name, last: 0, read: 0, messages: [], loaded: false, begins: false, pending: [], typing: new Map()});
  }

  get isRoom() { return !this.name.startsWith('@'); }
  get label() { return this.name.replace(/^(chat:|@)/, ''); }
  get unread() { return Math.max(0, this.last - this.read); }
  get first() { return this.messages[0]?.number ?? this.last + 1; }
  get end() { return this.messages.at(-1)?.number ?? 0; }
  /** Whether the window lacks messages that the server has. */
  get behind() { return this.loaded && this.end < this.last; }

  /** Takes what the server says about it. Numbers only rise: an older answer may come later. */
  learn({last = 0, read = 0}) {
    this.last = Math.max(this.last, last);
    this.read = Math.max(this.read, read);
  }

  /** Begins anew, with what waits to be sent. */
  forget() { Object.assign(this, {last: 0, read: 0, messages: [], loaded: false, begins: false}); }

  /** Takes a live message. It enters the window only as the next one: where one is missing, both are loaded. */
  take(message, mine) {
    this.learn({last: message.number, read: mine ? message.number : 0});
    if (this.loaded && message.number === this.end + 1) this.append([message]);
    if (mine) this.confirm([message]);
  }

  /** Takes the newest page in place of the window. */
  reset({messages, more}) {
    Object.assign(this, {messages: [...messages], loaded: true, begins: !more});
    this.learn({last: this.end});
    this.confirm(messages);
  }

  /** Takes messages after the window; those that are in it already do nothing. */
  append(messages) {
    for (const message of messages) if (message.number === this.end + 1) this.messages.push(message);
    this.learn({last: this.end});
    if (this.messages.length > KEPT) {
      this.messages.splice(0, this.messages.length - KEPT);
      this.begins = false;
    }
    this.confirm(messages);
  }

  /** Takes the page before the window. */
  prepend({messages, more}) {
    const older = messages.filter(({number}) => number < this.first);
    if (older.length && older.at(-1).number !== this.first - 1) return; // the window moved meanwhile
    this.messages.unshift(...older);
    this.begins = !more;
  }

  /** What is stored waits no more. Ids are random, so one of another author is another one. */
  confirm(messages) {
    const stored = new Set(messages.map(({id}) => id));
    this.pending = this.pending.filter(({id}) => !stored.has(id));
  }

  /** Who is typing now. */
  typists(now) {
    for (const [user, until] of this.typing) if (until <= now) this.typing.delete(user);
    return [...this.typing.keys()];
  }
}
