import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import {load, pass, reset, settle, sockets} from './browser.mjs';

const {Session} = await load('session.js');

let session, states, got, logins;

beforeEach(() => {
  reset();
  states = [];
  got = [];
  logins = 0;
  session = new Session(() => ({url: 'ws://host/ws', token: `token-${++logins}`}), (name, details) => states.push({name, ...details}));
});

const last = () => sockets.at(-1);
const state = () => states.at(-1).name;
const on = {item: item => got.push(item), end: () => got.push('END'), error: error => got.push(error.code)};
const ask = (data = {topic: 'tea'}) => session.stream('script.generate', data, on);
const next = (offset, data, ref = '1') => ({type: '$next', ref, room: '@session', data, offset});

const welcome = ({id = 's1', resumed = false, seq = 0, epoch = 'e1', offset = 0, recovered = resumed} = {}) => ({
  type: '$welcome',
  data: {session: id, resumed, seq, answers: 0, known: true, heartbeat: {intervalMs: 30_000, timeoutMs: 60_000},
    rooms: {'@session': {epoch, offset, recovered}, '@all': {epoch: 'a1', offset: 3, recovered}}},
});

/** Connects and is welcomed; returns what the page says after its hello. */
async function opened(frame = welcome()) {
  session.connect();
  await settle();
  last().opens();
  last().take();
  last().says(frame);
  return last().take();
}

/** Breaks the connection and comes back. Returns what the page says after its hello. */
async function resumed(frame) {
  last().breaks();
  pass(20_000);
  await settle();
  last().opens();
  const hello = last().take()[0];
  last().says(frame);
  return [hello, ...last().take()];
}

test('says hello in managed mode with the token and its client id', async () => {
  session.connect();
  await settle();
  assert.equal(last().protocol, 'realtime.v1');
  last().opens();

  const [{type, data}] = last().take();

  assert.equal(type, '$hello');
  assert.equal(data.token, 'token-1');
  assert.match(data.client, /^[0-9a-f]{32}$/);
  assert.equal(data.session, undefined);
  assert.equal(state(), 'connecting');
  last().says(welcome());
  assert.equal(state(), 'open');
});

test('hands over a stream item by item to its end', async () => {
  await opened();
  ask();
  assert.deepEqual(last().take(), [{type: 'script.generate', ref: '1', seq: 1, data: {topic: 'tea'}}]);

  last().says(next(1, 'a '), {type: '$ack', data: {seq: 1, answers: 1}}, next(2, 'b'), {type: '$end', ref: '1', room: '@session', offset: 3});

  assert.deepEqual(got, ['a ', 'b', 'END']);
});

test('keeps the items of two streams apart', async () => {
  await opened();
  const others = [];
  ask();
  session.stream('script.generate', {topic: 'sea'}, {...on, item: item => others.push(item)});

  last().says(next(1, 'tea', '1'), next(2, 'sea', '2'), next(3, 'tea', '1'));

  assert.deepEqual(got, ['tea', 'tea']);
  assert.deepEqual(others, ['sea']);
});

test('gives credit every 32 messages, in all that it takes', async () => {
  assert.deepEqual(await opened(), [{type: '$credit', data: {read: 0, streams: {}}}]);
  ask();
  last().take();
  for (let i = 1; i <= 31; i++) last().says(next(i, 'x'));
  assert.deepEqual(last().take(), []);

  last().says(next(32, 'x'));
  assert.deepEqual(last().take(), [{type: '$credit', data: {read: 32, streams: {1: 96}}}]);

  for (let i = 33; i <= 64; i++) last().says(next(i, 'x'));
  assert.deepEqual(last().take(), [{type: '$credit', data: {read: 64, streams: {1: 128}}}]);
});

test('gives credit for long messages sooner', async () => {
  await opened();
  ask();
  last().take();
  last().says(next(1, 'x'.repeat(40_000)));
  assert.deepEqual(last().take(), []);

  last().says(next(2, 'x'.repeat(40_000)));
  assert.deepEqual(last().take(), [{type: '$credit', data: {read: 2, streams: {1: 66}}}]);

  last().says(next(3, 'x'.repeat(40_000)));
  assert.deepEqual(last().take(), []);
});

test('resumes where it was, takes nothing twice, and gives credit again', async () => {
  await opened();
  ask();
  last().says(next(1, 'a'), {type: '$ack', data: {seq: 1, answers: 0}}, next(2, 'b'));

  const said = await resumed(welcome({resumed: true, seq: 1, offset: 2}));
  last().says(next(2, 'b'), next(3, 'c'), {type: '$end', ref: '1', room: '@session', offset: 4});

  assert.equal(said[0].data.session, 's1');
  assert.equal(said[0].data.token, 'token-2');
  assert.deepEqual(said[0].data.positions, {'@session': ['e1', 2], '@all': ['a1', 3]});
  assert.deepEqual(said.slice(1), [{type: '$credit', data: {read: 2, streams: {1: 66}}}]);
  assert.deepEqual(got, ['a', 'b', 'c', 'END']);
});

test('sends again what was not acknowledged, marked, and not what the welcome says was processed', async () => {
  await opened();
  ask({topic: 'one'});
  ask({topic: 'two'});

  const said = await resumed(welcome({resumed: true, seq: 1}));

  assert.deepEqual(said[1], {type: 'script.generate', ref: '2', seq: 2, data: {topic: 'two'}, redelivered: true});
  assert.equal(said.length, 3); // and the credit
});

test('what is asked for while offline is sent when the connection is there, as new', async () => {
  ask();

  const said = await opened();

  assert.deepEqual(said[0], {type: 'script.generate', ref: '1', seq: 1, data: {topic: 'tea'}});
});

test('cancelling tells the server, and the stream ends with its answer', async () => {
  await opened();
  const cancel = ask();
  last().take();

  cancel();
  assert.deepEqual(last().take(), [{type: '$cancel', ref: '1', seq: 2}]);
  assert.deepEqual(got, []);

  last().says({type: '$error', ref: '1', room: '@session', offset: 1, data: {code: 'cancelled', message: 'cancelled'}});
  cancel();
  assert.deepEqual(last().take(), []);
  assert.deepEqual(got, ['cancelled']);
});

test('what was never sent is cancelled without the server', async () => {
  const cancel = ask();

  cancel();

  assert.deepEqual(got, ['cancelled']);
  assert.deepEqual((await opened()).map(({type}) => type), ['$credit']);
});

test('an error ends the stream, once', async () => {
  await opened();
  ask();

  last().says({type: '$error', ref: '1', seq: 1, room: '@session', offset: 1, data: {code: 'bad_data', message: 'topic is required'}}, next(2, 'late'));

  assert.deepEqual(got, ['bad_data']);
});

test('a session that is gone ends the streams that had begun, and asks again for those that had not', async () => {
  await opened();
  ask();
  last().says(next(1, 'a'));
  ask({topic: 'sea'});

  const said = await resumed(welcome({id: 's2', epoch: 'e2'}));
  last().says(next(1, 'sea', '2'));

  assert.deepEqual(got, ['a', 'connection_lost', 'sea']);
  assert.deepEqual(said.slice(1), [
    {type: 'script.generate', ref: '2', seq: 2, data: {topic: 'sea'}, redelivered: true},
    {type: '$credit', data: {read: 0, streams: {2: 64}}},
  ]);
});

test('where the log has a hole the stream ends, and the server is told', async () => {
  await opened();
  ask();
  last().says(next(1, 'a'), {type: '$ack', data: {seq: 1, answers: 0}});
  last().take();

  last().says({type: '$gap', room: '@session', data: {epoch: 'e2', offset: 50, reason: 'trimmed'}}, next(51, 'later'));

  assert.deepEqual(got, ['a', 'connection_lost']);
  assert.deepEqual(last().take(), [{type: '$cancel', ref: '1', seq: 2}]);
});

test('backs off for longer each time, and from the start again after a healthy connection', async () => {
  const delays = [];
  session.connect();
  for (let i = 0; i < 7; i++) {
    await settle();
    last().breaks();
    delays.push(states.at(-1).until - Date.now());
    pass(delays.at(-1));
  }
  assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 7500, 7500]);

  await settle();
  last().opens();
  last().says(welcome());
  pass(10_001);
  last().breaks();
  assert.equal(states.at(-1).until - Date.now(), 250);
});

test('a login that fails is tried again, and says why', async () => {
  session.login = () => { throw new Error('no server'); };
  session.connect();
  await settle();

  assert.equal(states.at(-1).name, 'waiting');
  assert.equal(states.at(-1).why, 'no server');
  assert.equal(sockets.length, 0);
});

test('a drained server is come back to within the time that it gave', async () => {
  await opened();
  last().says({type: '$goodbye', data: {retry: {minMs: 2000, maxMs: 4000}}});
  last().breaks(4200, 'server is draining');

  assert.equal(states.at(-1).until - Date.now(), 3000);
});

for (const code of [1000, 1002, 4001, 4006]) {
  test(`after ${code} it stays closed and says why`, async () => {
    await opened();
    last().says({type: '$error', data: {code: 'x', message: 'the reason', retryable: false, closeCode: code}});
    last().breaks(code);
    pass(3_600_000);
    await settle();

    assert.deepEqual(states.at(-1), {name: 'offline', why: 'the reason'});
    assert.equal(sockets.length, 1);
  });
}

test('an expired token is replaced at once, but not twice', async () => {
  await opened();
  last().breaks(4300);
  await settle();
  assert.equal(sockets.length, 2);
  last().opens();
  assert.equal(last().take()[0].data.token, 'token-2');

  last().breaks(4300);
  assert.equal(state(), 'waiting');
});

test('asks a silent server, and gives it up when it does not answer', async () => {
  await opened();
  pass(30_000);
  assert.deepEqual(last().take(), []);
  pass(1000);
  assert.deepEqual(last().take(), [{type: '$ping'}]);
  pass(29_000);
  assert.equal(state(), 'open');
  pass(1000);
  assert.equal(states.find(({name}) => name === 'waiting').why, 'the server fell silent');
});

test('an answer to the ping keeps the connection', async () => {
  await opened();
  pass(31_000);
  last().says({type: '$pong'});
  pass(31_000);

  assert.equal(state(), 'open');
});

test('what a connection says that was given up is not heard', async () => {
  await opened();
  ask();
  const old = last();
  await resumed(welcome({resumed: true, seq: 1}));

  old.says(next(1, 'old'));
  old.breaks();

  assert.deepEqual(got, []);
  assert.equal(state(), 'open');
});
