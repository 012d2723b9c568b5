import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import {load, pass, reset, settle} from './browser.mjs';

const {Chat} = await load('chat.js', 'chat');

let server, kept, notices, chat;

/** A link to a server that a test plays: it answers pages from its log, and takes what is posted. */
function connect() {
  return {
    open: true,
    sent: [],
    asked: [],
    refusals: [],
    send(frame) { if (this.open) this.sent.push(frame); },
    async ask(frame) {
      this.asked.push(frame);
      const error = this.refusals.length && ['say', 'direct', 'page', 'open'].includes(frame.type) ? this.refusals.shift() : null;
      return error ? {error} : {data: answer(frame)};
    },
  };
}

function answer({type, room, data}) {
  if (type === 'open') return [...server.conversations].map(([conversation, {log, read}]) => ({conversation, last: log.length, read}));
  if (type === 'page') {
    const log = server.log(data.conversation);
    const {after, before = Infinity, limit} = data;
    if (after !== undefined) return {messages: log.slice(after, after + limit), more: after + limit < log.length};
    const older = log.filter(({number}) => number < before);
    return {messages: older.slice(-limit), more: older.length > limit};
  }
  if (type === 'say') server.post(room, chat.me, data.text, data.id);
  if (type === 'direct') server.post(`@${data.to}`, chat.me, data.text, data.id);
  return null;
}

beforeEach(() => {
  reset();
  kept = new Map();
  notices = [];
  server = {
    conversations: new Map(),
    log(name) { return this.of(name).log; },
    of(name) { return this.conversations.get(name) ?? this.conversations.set(name, {log: [], read: 0}).get(name); },
    /** Stores once for each id, and returns the message. */
    post(conversation, user, text, id = `${user}-${this.log(conversation).length}`) {
      const log = this.log(conversation);
      const stored = log.find(message => message.id === id);
      if (!stored) log.push({conversation, number: log.length + 1, id, user, text, at: log.length});
      return stored ?? log.at(-1);
    },
  };
  chat = begin();
});

function begin() {
  const storage = {getItem: key => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value)};
  return new Chat('me', connect(), storage, {changed() {}, older() {}, notice: text => notices.push(text)});
}

const live = message => chat.receive({type: 'said', room: message.conversation, data: message});
const texts = name => chat.conversation(name).messages.map(({text}) => text);
const sent = type => chat.link.sent.filter(frame => frame.type === type).map(({data}) => data);
const asked = type => chat.link.asked.filter(frame => frame.type === type);

async function opened(name = 'chat:lobby') {
  chat.conversation(name);
  await chat.welcome();
  chat.show(name);
  await settle();
}

test('joins its rooms, learns what is unread, and loads the conversation that is shown', async () => {
  for (let i = 1; i <= 3; i++) server.post('chat:lobby', 'bob', `text ${i}`);
  server.post('@eve', 'eve', 'psst');
  await opened();

  assert.deepEqual(asked('$join').map(({room}) => room), ['chat:lobby']);
  assert.deepEqual(texts('chat:lobby'), ['text 1', 'text 2', 'text 3']);
  assert.equal(chat.conversation('@eve').unread, 1);
  assert.deepEqual(texts('@eve'), []);
});

test('loads what it missed while it was away', async () => {
  server.post('chat:lobby', 'bob', 'one');
  await opened();
  chat.link.open = false;
  for (let i = 0; i < 120; i++) server.post('chat:lobby', 'bob', `missed ${i}`);
  chat.link.open = true;
  await chat.welcome();
  await settle();

  assert.deepEqual(chat.conversation('chat:lobby').messages.map(({number}) => number), Array.from({length: 121}, (_, i) => i + 1));
});

test('after a long absence it shows the newest page, and scrolls back through the rest', async () => {
  server.post('chat:lobby', 'bob', 'one');
  await opened();
  for (let i = 2; i <= 1000; i++) server.post('chat:lobby', 'bob', `text ${i}`);
  await chat.welcome();
  await settle();
  assert.equal(chat.conversation('chat:lobby').first, 951);

  await chat.older(chat.current);
  assert.equal(chat.conversation('chat:lobby').first, 901);
  assert.equal(texts('chat:lobby').length, 100);
});

test('a hole in the live messages is filled from the database', async () => {
  await opened();
  server.post('chat:lobby', 'bob', 'one');
  live(server.post('chat:lobby', 'bob', 'two'));
  await settle();

  assert.deepEqual(texts('chat:lobby'), ['one', 'two']);
});

test('a gap is filled even if nothing follows', async () => {
  await opened();
  server.post('chat:lobby', 'bob', 'one');
  chat.receive({type: '$gap', room: 'chat:lobby', data: {reason: 'trimmed'}});
  await settle();

  assert.deepEqual(texts('chat:lobby'), ['one']);
});

test('what is said waits, is stored, and is shown once', async () => {
  await opened();
  chat.say('hello');
  const [{id}] = chat.current.pending;
  assert.match(id, /^[0-9a-f]{32}$/);
  await settle();
  assert.equal(chat.current.pending[0].sent, true);

  live(server.log('chat:lobby')[0]);
  assert.deepEqual(chat.current.pending, []);
  assert.deepEqual(texts('chat:lobby'), ['hello']);
});

test('what is said in another tab of the user is shown here', async () => {
  await opened();
  live(server.post('chat:lobby', 'me', 'from the other tab'));

  assert.deepEqual(texts('chat:lobby'), ['from the other tab']);
  assert.equal(chat.current.unread, 0);
});

test('an answer that was lost does not store a message twice', async () => {
  await opened();
  const ask = chat.link.ask;
  chat.link.ask = async function (frame) {
    await ask.call(this, frame);
    return {error: {code: 'connection_lost', retryable: true}};
  };
  chat.say('hello');
  await settle();
  chat.link.ask = ask;
  await chat.welcome();
  await settle();

  assert.equal(server.log('chat:lobby').length, 1);
  assert.deepEqual(texts('chat:lobby'), ['hello']);
  assert.deepEqual(chat.current.pending, []);
});

test('while the database is away messages wait, in order, longer each time', async () => {
  await opened();
  const away = {code: 'unavailable', message: 'away', retryable: true};
  chat.link.refusals = [away, away, away];
  chat.say('one');
  chat.say('two');
  await settle();
  for (const delay of [1000, 2000, 4000]) {
    pass(delay - 1);
    await settle();
    const before = asked('say').length;
    pass(1);
    await settle();
    assert.equal(asked('say').length > before, true, `after ${delay} ms`);
  }

  assert.deepEqual(server.log('chat:lobby').map(({text}) => text), ['one', 'two']);
});

test('a refused message says why, holds up no other, and can be sent again or discarded', async () => {
  await opened();
  chat.link.refusals = [{code: 'bad_data', message: 'too long', retryable: false}];
  chat.say('one');
  chat.say('two');
  await settle();
  const [failed] = chat.current.pending;
  assert.equal(failed.failed, 'too long');
  assert.deepEqual(server.log('chat:lobby').map(({text}) => text), ['two']);

  chat.settle(chat.current, failed, true);
  await settle();
  assert.deepEqual(server.log('chat:lobby').map(({text}) => text), ['two', 'one']);
});

test('what waits survives a reload of the page', async () => {
  await opened();
  chat.link.open = false;
  chat.say('written offline');
  assert.equal(chat.waiting, true);

  chat = begin();
  await opened();
  assert.deepEqual(server.log('chat:lobby').map(({text}) => text), ['written offline']);
  assert.equal(chat.waiting, false);
});

test('a direct message goes to the person, who need not be online', async () => {
  await opened('@bob');
  chat.say('psst');
  await settle();

  assert.deepEqual(asked('direct').map(({data}) => [data.to, data.text]), [['bob', 'psst']]);
});

test('what is shown on a visible page is read, and told once for several', async () => {
  await opened();
  for (const text of ['one', 'two', 'three']) live(server.post('chat:lobby', 'bob', text));
  assert.equal(chat.current.unread, 3);
  pass(300);

  assert.equal(chat.current.unread, 0);
  assert.deepEqual(sent('read'), [{conversation: 'chat:lobby', number: 3}]);
});

test('on a hidden page nothing is read until it is shown', async () => {
  await opened();
  chat.visible = false;
  live(server.post('chat:lobby', 'bob', 'one'));
  pass(10_000);
  assert.deepEqual(sent('read'), []);

  chat.visible = true;
  chat.markRead();
  pass(300);
  assert.deepEqual(sent('read'), [{conversation: 'chat:lobby', number: 1}]);
});

test('what another tab has read is read here', async () => {
  await opened();
  live(server.post('chat:garden', 'bob', 'one'));
  assert.equal(chat.conversation('chat:garden').unread, 1);

  chat.receive({type: 'read', room: '@user', data: {conversation: 'chat:garden', number: 1}});
  assert.equal(chat.conversation('chat:garden').unread, 0);
});

test('a read mark that was lost with the connection is told again', async () => {
  await opened();
  live(server.post('chat:lobby', 'bob', 'one'));
  pass(300);
  chat.link.sent = [];
  await chat.welcome();

  assert.deepEqual(sent('read'), [{conversation: 'chat:lobby', number: 1}]);
});

test('a server with another database is begun with anew', async () => {
  for (let i = 0; i < 5; i++) server.post('chat:lobby', 'bob', 'old');
  await opened();
  server.conversations.clear();
  server.post('chat:lobby', 'bob', 'new');
  await chat.welcome();
  await settle();

  assert.deepEqual(texts('chat:lobby'), ['new']);
});

test('messages that come before the answer about their conversation stay', async () => {
  server.post('chat:lobby', 'bob', 'one');
  await opened();
  const {ask} = chat.link;
  chat.link.ask = async frame => {
    const answered = await ask.call(chat.link, frame);
    if (frame.type === 'open') live(server.post('chat:lobby', 'bob', 'two'));
    return answered;
  };
  chat.visible = false;
  await chat.welcome();
  assert.deepEqual(texts('chat:lobby'), ['one', 'two']);
  assert.equal(chat.conversation('chat:lobby').unread, 2);
  assert.deepEqual(asked('page').length, 1, 'nothing is loaded again');
});

test('a room that refuses says why, and is not opened', async () => {
  chat.conversation('chat:staff');
  const ask = chat.link.ask;
  chat.link.ask = async function (frame) {
    return frame.type === '$join' ? {error: {code: 'forbidden', message: 'not for you', retryable: false}} : ask.call(this, frame);
  };
  await chat.welcome();

  assert.equal(chat.conversation('chat:staff').refused, 'not for you');
  assert.deepEqual(asked('open').map(({data}) => data.rooms), [[]]);
});

test('a room that another page has opened is joined', async () => {
  await opened();
  chat.receive({type: 'read', data: {conversation: 'chat:garden', number: 0}});
  chat.show('chat:garden');
  await settle();

  assert.deepEqual(asked('$join').map(({room}) => room), ['chat:lobby', 'chat:garden']);
});

test('rooms that the server names are joined, too', async () => {
  server.of('chat:garden');
  await opened();

  assert.deepEqual(asked('$join').map(({room}) => room), ['chat:lobby', 'chat:garden']);
});

test('rooms that may not be opened hold up no other', async () => {
  server.post('chat:lobby', 'ada', 'hello');
  chat.link.refusals.push({code: 'overloaded', message: 'too many rooms', retryable: false});
  await opened();

  assert.deepEqual(notices, ['too many rooms']);
  chat.show('chat:lobby');
  await settle();
  assert.deepEqual(texts('chat:lobby'), ['hello']);
});

test('typing is told now and then, and its end at once', async () => {
  await opened();
  chat.typed();
  pass(1000);
  chat.typed();
  assert.deepEqual(sent('typing'), [{on: true}]);
  pass(1000);
  chat.typed();
  chat.stopTyping();
  assert.deepEqual(sent('typing'), [{on: true}, {on: true}, {on: false}]);
});

test('typing of others expires, and opens no conversation', async () => {
  await opened();
  chat.receive({type: 'typing', data: {conversation: 'chat:lobby', user: 'bob', on: true}});
  chat.receive({type: 'typing', data: {conversation: '@stranger', user: 'stranger', on: true}});
  assert.deepEqual(chat.current.typists(Date.now()), ['bob']);
  assert.equal(chat.conversations.has('@stranger'), false);

  pass(5000);
  assert.deepEqual(chat.current.typists(Date.now()), []);
});
