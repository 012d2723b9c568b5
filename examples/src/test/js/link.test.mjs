import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import {load, pass, reset, settle, sockets} from './browser.mjs';

const {Link} = await load('link.js', 'chat');

let link, states, frames, welcomes, logins;

beforeEach(() => {
  reset();
  [states, frames, welcomes, logins] = [[], [], 0, 0];
  link = new Link(async () => ({url: `ws://host/ws?token=${++logins}`}), {
    state: (name, details) => states.push({name, ...details}),
    welcome: () => welcomes++,
    frame: frame => frames.push(frame),
  });
});

const last = () => sockets.at(-1);
const state = () => states.at(-1).name;

async function opened() {
  link.connect();
  await settle();
  last().readyState = 1;
  last().says({type: '$welcome', data: {heartbeat: {intervalMs: 30_000, timeoutMs: 60_000}}});
}

test('is open when it was welcomed', async () => {
  link.connect();
  await settle();
  assert.equal(last().protocol, undefined);
  assert.equal(state(), 'connecting');
  await opened();

  assert.deepEqual([state(), link.open, welcomes], ['open', true, 1]);
});

test('each question gets its answer', async () => {
  await opened();
  const [one, two] = [link.ask({type: 'one'}), link.ask({type: 'two'})];
  assert.deepEqual(last().take(), [{type: 'one', ref: '1'}, {type: 'two', ref: '2'}]);
  last().says({type: '$error', ref: '2', data: {code: 'internal'}}, {type: '$reply', ref: '1', data: 7}, {type: 'said', data: 1});

  assert.deepEqual(await one, {data: 7});
  assert.deepEqual(await two, {error: {code: 'internal'}});
  assert.deepEqual(frames, [{type: 'said', data: 1}]);
});

test('what was asked on a lost connection is a retryable error, and so is what is asked without one', async () => {
  await opened();
  const asked = link.ask({type: 'one'});
  last().breaks();

  assert.deepEqual([(await asked).error.code, (await asked).error.retryable], ['connection_lost', true]);
  assert.equal((await link.ask({type: 'two'})).error.code, 'connection_lost');
});

test('comes back with a fresh token after a delay that grows', async () => {
  await opened();
  for (const delay of [250, 500, 1000]) {
    last().breaks();
    assert.equal(states.at(-1).until - Date.now(), delay);
    const before = logins;
    pass(delay);
    await settle();
    assert.equal(logins, before + 1);
    last().readyState = 1;
  }
});

for (const [code, expected] of [[1000, 'closed'], [4001, 'closed'], [1006, 'waiting'], [4100, 'waiting'], [4300, 'connecting']]) {
  test(`after ${code} it is ${expected}`, async () => {
    await opened();
    last().says({type: '$error', data: {code: 'x', message: 'the reason', closeCode: code}});
    last().breaks(code);

    assert.equal(state(), expected);
    if (expected === 'closed') assert.equal(states.at(-1).why, 'the reason');
  });
}

test('asks a silent server, and gives it up when it does not answer', async () => {
  await opened();
  pass(31_000);
  assert.deepEqual(last().take(), [{type: '$ping'}]);
  assert.equal(state(), 'open');
  pass(30_000);
  assert.equal(states.find(({name}) => name === 'waiting').why, 'the server fell silent');
});

test('a login that fails is tried again, and says why', async () => {
  link.login = async () => { throw new Error('no server'); };
  link.connect();
  await settle();

  assert.deepEqual([state(), states.at(-1).why], ['waiting', 'no server']);
});

test('does not come back after it was stopped', async () => {
  await opened();
  link.stop();
  last().breaks(1000);
  pass(3_600_000);
  await settle();

  assert.equal(sockets.length, 1);
});
