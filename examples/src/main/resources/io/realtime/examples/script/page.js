// The page: asks, shows scripts as they grow, and how the connection is. Data enters it as text only.

import {Script} from './script.js';
import {Session} from './session.js';

const KEPT = 20;                 // how many scripts the page keeps; the oldest go

const $ = id => document.getElementById(id);
const user = `guest-${Math.floor(Math.random() * 36 ** 6).toString(36)}`;
const cards = [];                // newest first
let state = {name: 'connecting'};

const session = new Session(login, (name, details) => {
  state = {name, ...details};
  showState();
  cards.forEach(show);
});

async function login() {
  const headers = {'Content-Type': 'application/json'};
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch('token', {method: 'POST', headers, body: JSON.stringify({name: user}), signal});
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? `the page's server answered ${answer.status}`);
  return {url: `ws://${location.hostname}:${body.port}${body.path}`, token: body.token};
}

/** Asks for a script. The server says what is wrong with a topic; the page does not know better. */
function write(topic) {
  const script = new Script(topic);
  const node = $('card').content.firstElementChild.cloneNode(true);
  const card = {script, node, text: document.createTextNode('')};
  const changed = () => show(card);
  card.cancel = session.stream('script.generate', {topic}, {
    item: piece => { grow(card, script.take(piece)); changed(); },
    end: () => { script.done(); changed(); },
    error: error => { script.fail(error); changed(); },
  });
  node.querySelector('h2').textContent = topic || 'No topic';
  node.querySelector('.text span').append(card.text);
  node.querySelector('.stop').onclick = () => stop(card);
  $('scripts').prepend(node);
  cards.unshift(card);
  cards.splice(KEPT).forEach(old => { stop(old); old.node.remove(); });
  changed();
}

function stop(card) {
  card.script.stop();
  card.cancel();
  show(card);
}

/** Appends, and keeps the end in sight for whoever was looking at it. */
function grow({node, text}, more) {
  const box = node.querySelector('.text');
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  text.appendData(more);
  if (atEnd) box.scrollTop = box.scrollHeight;
}

const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };

function show({script, node}) {
  const held = script.running && state.name !== 'open';
  const words = {
    asked: 'Waiting for the first word…', writing: 'Writing…', stopping: 'Stopping…', stopped: 'Stopped', done: 'Done',
    failed: 'Failed',
  };
  node.dataset.status = held ? 'held' : script.status;
  put(node.querySelector('.status'), held ? 'Goes on when the connection is back' : words[script.status]);
  put(node.querySelector('.words'), String(script.words));
  put(node.querySelector('.rate'), script.rate ? `· ${script.rate.toFixed(1)} words/s` : '');
  put(node.querySelector('.notice'), script.notice);
  put(node.querySelector('.why'), script.why);
  node.querySelector('.notice').hidden = !script.notice;
  node.querySelector('.why').hidden = script.status !== 'failed';
  node.querySelector('.stop').hidden = !script.running || script.status === 'stopping';
  $('empty').hidden = true;
}

function showState() {
  const seconds = Math.max(0, Math.ceil((state.until - Date.now()) / 1000));
  const words = {
    open: 'Connected',
    connecting: 'Connecting…',
    waiting: navigator.onLine ? `Reconnecting in ${seconds} s` : `Offline, next try in ${seconds} s`,
    offline: `Offline: ${state.why}`,
  };
  $('pill').dataset.state = state.name === 'waiting' && !navigator.onLine ? 'offline' : state.name;
  $('pill').title = state.why ?? '';
  put($('pill-text'), words[state.name]);
  put($('news'), state.name === 'waiting' ? 'Reconnecting' : words[state.name]); // spoken once, not every second
  $('retry').hidden = state.name !== 'waiting' && state.name !== 'offline';
}

$('ask').onsubmit = event => {
  event.preventDefault();
  const topic = $('topic').value.trim();
  $('ask-error').textContent = topic ? '' : 'Please say what it shall be about.';
  if (topic) write(topic);
};
$('topic').oninput = () => { $('ask-error').textContent = ''; };
$('retry').onclick = () => session.connect();
window.addEventListener('online', () => session.connect());
window.addEventListener('offline', showState);
window.addEventListener('pagehide', () => cards.forEach(({cancel}) => cancel())); // nobody reads on
setInterval(showState, 500);

session.connect();
