// The page: shows a chat. Data enters it as text only.

const GROUP = 5 * 60_000;        // messages this close together share one heading
const NEAR_END = 80;             // pixels from the end at which the page follows new messages

export const $ = id => document.getElementById(id);
const clock = new Intl.DateTimeFormat([], {hour: '2-digit', minute: '2-digit'});
const day = new Intl.DateTimeFormat([], {weekday: 'long', day: 'numeric', month: 'long'});
const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };

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

export function avatar(node, name) {
  node.textContent = name.trim().split(/\s+/).slice(0, 2).map(word => [...word][0]).join('').toUpperCase();
  node.style.setProperty('--hue', hue(name));
}

export class View {
  /** @param on `open(name)`, `again(conversation, message)`, `discard(conversation, message)` */
  constructor(chat, on) {
    Object.assign(this, {chat, on, shown: null, divider: 0, lines: new Map()});
  }

  /** Shows the current conversation from its end. */
  show() {
    const {current} = this.chat;
    this.shown = current;
    this.divider = current.unread ? current.read : 0;
    this.lines.clear();
    $('log').replaceChildren();
    put($('room-title'), current.label);
    $('room-title').dataset.kind = current.isRoom ? 'room' : 'person';
    $('text').placeholder = `Message ${current.isRoom ? '#' : ''}${current.label}`;
    this.draw();
    this.toEnd();
  }

  /** Shows what has changed. `fresh` is a message that was just said. */
  draw(fresh) {
    this.list();
    const {current, me} = this.chat;
    if (current !== this.shown) return;
    const follow = this.atEnd() || fresh?.user === me;
    this.log(current);
    if (follow) this.toEnd();
    $('newer').hidden = follow || this.atEnd() || !(fresh || !$('newer').hidden);
    $('empty').hidden = !current.loaded || current.messages.length + current.pending.length > 0;
    put($('top'), current.refused ? `You cannot be in this room: ${current.refused}`
      : !current.loaded || !current.begins ? 'Loading…' : '');
    $('top').hidden = !$('top').textContent;
    this.typing();
    const {scrollHeight, clientHeight} = $('scroll');
    if (scrollHeight <= clientHeight) this.chat.older(current); // there is nothing to scroll yet
  }

  /** Shows older messages, and keeps those in sight where they are. A screen reader does not read them out. */
  drawOlder() {
    const scroll = $('scroll');
    const fromEnd = scroll.scrollHeight - scroll.scrollTop;
    $('log').ariaBusy = 'true';
    this.draw();
    scroll.scrollTop = scroll.scrollHeight - fromEnd;
    $('log').ariaBusy = 'false';
  }

  atEnd() {
    const {scrollHeight, scrollTop, clientHeight} = $('scroll');
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  toEnd() { $('scroll').scrollTop = $('scroll').scrollHeight; }

  /** Lines that are there already stay, so that a screen reader reads only what is new. */
  log(conversation) {
    const wanted = [];
    let before = null;
    for (const entry of [...conversation.messages, ...conversation.pending]) {
      const date = day.format(entry.at);
      if (!before || day.format(before.at) !== date) wanted.push([`day ${date}`, 'note day', () => element('li', 'note day', date)]);
      if (this.divider && entry.number === this.divider + 1) wanted.push(['new', 'note new', () => element('li', 'note new', 'New messages')]);
      const look = this.look(entry, before);
      wanted.push([`${entry.user}\n${entry.id}`, look, () => this.message(conversation, entry, look)]);
      before = entry;
    }
    const log = $('log');
    const keep = new Set(wanted.map(([key]) => key));
    for (const [key, node] of this.lines) if (!keep.has(key)) { node.remove(); this.lines.delete(key); }
    let place = log.firstChild;
    for (const [key, look, make] of wanted) {
      let node = this.lines.get(key);
      if (node?.look !== look) {
        const made = Object.assign(make(), {look});
        if (node === place) place = place?.nextSibling ?? null;
        node?.remove();
        this.lines.set(key, node = made);
      }
      if (node === place) place = place.nextSibling;
      else log.insertBefore(node, place);
    }
  }

  look(entry, before) {
    const first = !before || before.user !== entry.user || entry.at - before.at > GROUP || day.format(before.at) !== day.format(entry.at);
    const pending = entry.number === undefined && !entry.sent;
    return Object.entries({message: true, mine: entry.user === this.chat.me, first, pending, failed: Boolean(entry.failed)})
      .filter(([, holds]) => holds).map(([word]) => word).join(' ');
  }

  message(conversation, entry, look) {
    const item = element('li', look);
    item.style.setProperty('--hue', hue(entry.user));
    const face = element('span', 'avatar');
    face.setAttribute('aria-hidden', 'true');
    avatar(face, entry.user);
    const meta = element('div', 'meta');
    const time = element('time', '', clock.format(entry.at));
    time.dateTime = new Date(entry.at).toISOString();
    meta.append(element('b', '', entry.user), time);
    const bubble = element('div', 'bubble', entry.text);
    bubble.title = new Date(entry.at).toLocaleString();
    if (entry.user === this.chat.me) bubble.append(this.mark(conversation, entry));
    item.append(face, meta, bubble);
    return item;
  }

  /** Whether a message is stored, waits, or was refused. */
  mark(conversation, entry) {
    if (!entry.failed) {
      const waits = entry.number === undefined && !entry.sent;
      const mark = element('small', 'mark', waits ? '◷' : '✓');
      mark.setAttribute('role', 'img');
      mark.ariaLabel = mark.title = waits ? 'Waiting to be sent' : 'Sent';
      return mark;
    }
    const refused = element('small', 'refused', `Not sent: ${entry.failed} `);
    const again = element('button', 'quiet', 'Try again');
    again.onclick = () => this.on.again(conversation, entry);
    const discard = element('button', 'quiet', 'Discard');
    discard.onclick = () => this.on.discard(conversation, entry);
    refused.append(again, ' ', discard);
    return refused;
  }

  list() {
    const all = [...this.chat.conversations.values()];
    this.listOf($('rooms'), all.filter(({isRoom}) => isRoom));
    const people = all.filter(({isRoom}) => !isRoom);
    this.listOf($('people'), people);
    $('people-title').hidden = !people.length;
    const unread = all.reduce((sum, each) => sum + each.unread, 0);
    const {current} = this.chat;
    document.title = `${unread ? `(${unread}) ` : ''}${current ? `${current.isRoom ? '#' : ''}${current.label} · ` : ''}Realtime chat`;
  }

  listOf(list, conversations) {
    conversations.forEach((conversation, index) => {
      let item = list.children[index];
      if (!item) {
        item = element('li');
        const button = element('button');
        button.type = 'button';
        button.append(element('span', 'label'), element('span', 'badge'));
        item.append(button);
        list.append(item);
      }
      const button = item.firstChild;
      const [label, badge] = button.children;
      button.onclick = () => this.on.open(conversation.name);
      button.ariaCurrent = conversation === this.chat.current ? 'true' : null;
      put(label, conversation.label);
      put(badge, conversation.unread > 99 ? '99+' : String(conversation.unread));
      badge.hidden = !conversation.unread;
      button.ariaLabel = conversation.label + (conversation.unread ? `, ${conversation.unread} unread` : '');
    });
    while (list.children.length > conversations.length) list.lastChild.remove();
  }

  typing() {
    const users = this.shown?.typists(Date.now()) ?? [];
    $('typing').classList.toggle('on', users.length > 0);
    if (users.length === 0) return;   // the words stay while the line fades
    put($('typing-text'), users.length > 3 ? 'Several people are typing'
      : `${users.join(', ').replace(/, ([^,]*)$/, ' and $1')} ${users.length > 1 ? 'are' : 'is'} typing`);
  }

  /** Shows how the connection is: a word in the bar, and a banner with a countdown while there is none. */
  state({name, until, why}) {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    const words = {open: 'Connected', connecting: 'Connecting', waiting: 'Offline', closed: 'Closed'};
    const told = {
      waiting: navigator.onLine ? `No connection. Trying again in ${seconds} s.` : `This device is offline. Trying again in ${seconds} s.`,
      closed: `The server closed the connection: ${why}.`,
    };
    $('pill').dataset.state = name;
    $('pill').title = why ?? '';
    put($('pill-text'), words[name]);
    put($('news'), words[name]);      // spoken once, not every second
    $('banner').hidden = !told[name];
    if (told[name]) put($('banner-text'), `${told[name]} Your messages wait here, and are sent later.`);
  }

  toast(text) {
    put($('toast'), text);
    $('toast').hidden = false;
    clearTimeout(this.toastEnds);
    this.toastEnds = setTimeout(() => { $('toast').hidden = true; }, 5000);
  }
}
