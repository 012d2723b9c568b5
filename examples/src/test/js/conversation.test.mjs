import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import {load} from './browser.mjs';

const {Conversation} = await load('conversation.js', 'chat');

let lobby;

const message = (number, user = 'bob') => ({number, id: `id-${number}`, user, text: `text ${number}`, at: number});
const range = (from, to) => Array.from({length: to - from + 1}, (_, i) => message(from + i));
const numbers = () => lobby.messages.map(({number}) => number);

beforeEach(() => { lobby = new Conversation('chat:lobby'); });

test('knows rooms from people', () => {
  assert.deepEqual([lobby.isRoom, lobby.label], [true, 'lobby']);
  const bob = new Conversation('@bob');
  assert.deepEqual([bob.isRoom, bob.label], [false, 'bob']);
});

test('appends a live message that is the next one', () => {
  lobby.reset({messages: range(1, 2), more: false});
  lobby.take(message(3), false);

  assert.deepEqual(numbers(), [1, 2, 3]);
  assert.equal(lobby.behind, false);
});

test('is behind when a live message shows that one is missing', () => {
  lobby.reset({messages: range(1, 2), more: false});
  lobby.take(message(4), false);
  assert.deepEqual(numbers(), [1, 2]);
  assert.equal(lobby.behind, true);

  lobby.append(range(3, 4));
  assert.deepEqual(numbers(), [1, 2, 3, 4]);
  assert.equal(lobby.behind, false);
});

test('takes a message once, whether it was loaded or came live', () => {
  lobby.reset({messages: range(1, 2), more: false});
  lobby.take(message(2), false);
  lobby.take(message(3), false);
  lobby.append(range(2, 4));

  assert.deepEqual(numbers(), [1, 2, 3, 4]);
});

test('counts what is unread, and only forward', () => {
  lobby.learn({last: 5, read: 2});
  assert.equal(lobby.unread, 3);
  lobby.take(message(6), false);
  lobby.learn({last: 4, read: 1});
  assert.equal(lobby.unread, 4);
  lobby.take(message(7, 'me'), true);
  assert.equal(lobby.unread, 0);
});

test('what waits is gone when it is stored, however that becomes known', () => {
  lobby.pending = [{id: 'id-1'}, {id: 'id-2'}, {id: 'id-3'}, {id: 'id-4'}];
  lobby.reset({messages: [message(1, 'me')], more: false});
  lobby.append([message(2, 'me')]);
  lobby.take(message(4, 'me'), true);

  assert.deepEqual(lobby.pending, [{id: 'id-3'}]);
});

test('prepends older pages up to the beginning', () => {
  lobby.reset({messages: range(5, 6), more: true});
  assert.equal(lobby.begins, false);
  lobby.prepend({messages: range(3, 4), more: true});
  lobby.prepend({messages: range(1, 2), more: false});

  assert.deepEqual(numbers(), [1, 2, 3, 4, 5, 6]);
  assert.equal(lobby.begins, true);
});

test('an older page that no longer fits is not taken', () => {
  lobby.reset({messages: range(5, 6), more: true});
  lobby.prepend({messages: range(1, 2), more: false});

  assert.deepEqual(numbers(), [5, 6]);
  assert.equal(lobby.begins, false);
});

test('keeps the newest 500 messages, and then has older ones to load', () => {
  lobby.reset({messages: range(1, 500), more: false});
  lobby.take(message(501), false);

  assert.equal(lobby.messages.length, 500);
  assert.equal(lobby.first, 2);
  assert.equal(lobby.begins, false);
});

test('who types is forgotten after a while', () => {
  lobby.typing.set('bob', 100);
  lobby.typing.set('eve', 200);
  assert.deepEqual(lobby.typists(99), ['bob', 'eve']);
  assert.deepEqual(lobby.typists(100), ['eve']);
  assert.deepEqual(lobby.typists(200), []);
});
