import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import {load, pass, reset} from './browser.mjs';

const {Script} = await load('script.js');

beforeEach(reset);

test('counts words, however they are cut', () => {
  const script = new Script('tea');
  for (const text of ['Tea ', 'is', ' a ', 'drin', 'k', '.\n\n', 'Two words', ' ', 'more ']) script.take({text});

  assert.equal(script.text, 'Tea is a drink.\n\nTwo words more ');
  assert.equal(script.words, 7);
});

test('the rate is that between the first and the last word', () => {
  const script = new Script('tea');
  pass(5000); // thinking
  script.take({text: 'one '});
  assert.equal(script.rate, 0);
  for (const text of ['two ', 'three ', 'four ', 'five ']) { pass(50); script.take({text}); }
  pass(5000);

  assert.equal(script.rate, 20);
});

test('a notice is no text', () => {
  const script = new Script('tea');

  assert.equal(script.take({notice: 'a sample'}), '');

  assert.equal(script.notice, 'a sample');
  assert.equal(script.words, 0);
  assert.equal(script.status, 'asked');
});

test('goes from asked to writing to done', () => {
  const script = new Script('tea');
  const seen = [script.status];
  assert.equal(script.take({text: 'tea '}), 'tea ');
  seen.push(script.status);
  assert.ok(script.running);
  script.done();
  seen.push(script.status);

  assert.deepEqual(seen, ['asked', 'writing', 'done']);
  assert.ok(!script.running);
});

test('once it is to stop it takes no more, and has stopped when the stream ends in whatever way', () => {
  const ends = [script => script.fail({code: 'cancelled', message: 'cancelled'}), script => script.done()];
  for (const end of ends) {
    const script = new Script('tea');
    script.take({text: 'tea '});
    script.stop();
    assert.equal(script.status, 'stopping');
    assert.equal(script.take({text: 'more '}), '');
    end(script);
    assert.equal(script.status, 'stopped');
    assert.equal(script.text, 'tea ');
  }
});

test('a failure says why', () => {
  const script = new Script('tea');
  script.fail({code: 'writer_failed', message: 'it is broken'});

  assert.equal(script.status, 'failed');
  assert.equal(script.why, 'it is broken');
  script.stop();
  assert.equal(script.status, 'failed');
});
