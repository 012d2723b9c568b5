// Joins the parts: the login, the connection, the chat, and what people do on the page.

import {Chat} from './chat.js';
import {Link} from './link.js';
import {$, avatar, View} from './view.js';

const ROOMS = ['chat:lobby', 'chat:garden', 'chat:workshop'];
const NEAR_TOP = 200;            // pixels from the first message at which older ones are loaded
const drafts = new Map();        // by conversation: what was typed and not sent

let chat, link, view;
let state = {name: 'connecting'};

async function login(name) {
  const headers = {'Content-Type': 'application/json'};
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch('token', {method: 'POST', headers, body: JSON.stringify({name}), signal});
  const {error, token, user, port, path} = await answer.json();
  if (!answer.ok) throw new Error(error ?? `the page's server answered ${answer.status}`);
  return {user, url: `ws://${location.hostname}:${port}${path}?token=${encodeURIComponent(token)}`};
}

function start(name, first) {
  sessionStorage.setItem('name', name);
  link = new Link(() => login(name), {
    state(next, details) { state = {name: next, ...details}; view.state(state); },
    welcome: () => chat.welcome(),
    frame: frame => chat.receive(frame),
  });
  chat = new Chat(name, link, sessionStorage, {
    changed: (conversation, fresh) => view.draw(conversation === chat.current ? fresh : undefined),
    older: conversation => conversation === chat.current && view.drawOlder(),
    notice: text => view.toast(text),
  });
  view = new View(chat, {
    open,
    again: (conversation, message) => chat.settle(conversation, message, true),
    discard: (conversation, message) => chat.settle(conversation, message, false),
  });
  chat.visible = !document.hidden;
  ROOMS.forEach(room => chat.conversation(room));
  $('login').hidden = true;
  $('app').hidden = false;
  $('my-name').textContent = name;
  avatar($('my-avatar'), name);
  open(first);
  view.state(state);
  link.connect();
  setInterval(() => { view.state(state); view.typing(); }, 500);
}

/** What a person types for a conversation: "lobby" is the room chat:lobby, "@Bob" is Bob. */
function nameOf(text) {
  const typed = text.trim();
  if (typed.startsWith('@')) return typed.length > 1 ? typed : null;
  const room = typed.replace(/^(#|chat:)/, '').toLowerCase().replace(/\s+/g, '-');
  return /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,39}$/u.test(room) ? `chat:${room}` : null;
}

function open(name) {
  if (chat.current) drafts.set(chat.current.name, $('text').value);
  sessionStorage.setItem('conversation', name);
  chat.show(name);
  view.show();
  $('text').value = drafts.get(name) ?? '';
  grow();
  if (!matchMedia('(pointer: coarse)').matches) $('text').focus(); // it would open a phone's keyboard
}

const grow = () => { $('text').style.height = 'auto'; $('text').style.height = `${$('text').scrollHeight + 2}px`; };

$('login-form').onsubmit = async event => {
  event.preventDefault();
  const room = nameOf($('start-room').value);
  if (!room) return void ($('name-error').textContent = 'A room has up to 40 letters, digits and hyphens.');
  try {
    start((await login($('name').value)).user, room);
  } catch (failure) {
    $('name-error').textContent = failure.message;
  }
};
$('open-form').onsubmit = event => {
  event.preventDefault();
  const name = nameOf($('open-name').value);
  if (!name) return view.toast('A room has up to 40 letters, digits and hyphens. A person is @ and a name.');
  event.target.reset();
  open(name);
};
$('composer').onsubmit = event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  grow();
  view.divider = 0;
  chat.say(text);
};
$('text').oninput = () => {
  grow();
  if ($('text').value.trim()) chat.typed();
  else chat.stopTyping();
};
$('text').onkeydown = event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
};
$('leave').onclick = () => {
  if (chat.waiting && !confirm('Some of your messages have not been sent. Leave without them?')) return;
  link.stop();
  sessionStorage.clear();
  location.reload();
};
$('retry').onclick = () => link.connect();
$('newer').onclick = () => view.toEnd();
$('scroll').onscroll = () => {
  if (view.atEnd()) $('newer').hidden = true;
  if ($('scroll').scrollTop < NEAR_TOP) chat.older(chat.current);
};
window.addEventListener('online', () => link?.connect());
window.addEventListener('offline', () => view?.state(state));
document.addEventListener('visibilitychange', () => {
  if (!chat) return;
  chat.visible = !document.hidden;
  chat.markRead();
});

const name = sessionStorage.getItem('name');
if (name) start(name, sessionStorage.getItem('conversation') ?? ROOMS[0]);
