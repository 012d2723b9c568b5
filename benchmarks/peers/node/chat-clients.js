'use strict';

// Two members of the chat, one that speaks and one that listens: node chat-clients.js KIND PORT COUNT EVERY_MS
// Says READY when both are connected, each number that the listener hears, and SENT; ends with its input.

const [kind, port, count, everyMs] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${line}\n`);

/** A WebSocket as applications wrap it: comes back after a second, as Socket.IO does, and keeps what is said meanwhile. */
function webSocket(on) {
  const WebSocket = require('ws');
  const waiting = [];
  let socket;
  const connect = () => {
    socket = new WebSocket(`ws://127.0.0.1:${port}`);
    socket.on('open', () => {
      on.open();
      waiting.splice(0).forEach((n) => socket.send(n));
    });
    socket.on('message', (text) => on.said(String(text)));
    socket.on('close', () => setTimeout(connect, 500 + Math.random() * 1000));
    socket.on('error', () => {}); // and then it closes
  };
  connect();
  return (n) => (socket.readyState === WebSocket.OPEN ? socket.send(n) : waiting.push(n));
}

function socketIo(on) {
  const { io } = require('socket.io-client');
  const retries = kind === 'socket.io' ? {} : { retries: 100, ackTimeout: 2000 };
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true, ...retries });
  socket.on('connect', on.open);
  socket.on('said', on.said);
  return (n) => socket.emit('say', n);
}

const join = kind === 'ws' ? webSocket : socketIo;
const joined = (said) => new Promise((open) => { const say = join({ open: () => open(say), said }); });

(async () => {
  await joined(print);
  const say = await joined(() => {});
  print('READY');
  let n = 0;
  const timer = setInterval(() => {
    say(String(++n));
    if (n === Number(count)) {
      clearInterval(timer);
      print('SENT');
    }
  }, Number(everyMs));
})();
process.stdin.on('end', () => process.exit(0)).resume();
