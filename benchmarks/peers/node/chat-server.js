'use strict';

// A chat with one room, as `benchmarks/run.sh cuts` cuts it: node chat-server.js ws | socket.io | socket.io-recovery

const http = require('node:http');
const standalone = require('./standalone');

const [kind] = process.argv.slice(2);
const server = http.createServer();

if (kind === 'ws') {
  const { WebSocketServer } = require('ws');
  const members = new Set();
  new WebSocketServer({ server }).on('connection', (socket) => {
    members.add(socket);
    socket.on('message', (text) => members.forEach((member) => member.send(text, { binary: false })));
    socket.on('close', () => members.delete(socket));
    socket.on('error', () => socket.terminate());
  });
} else {
  const { Server } = require('socket.io');
  const io = new Server(server, kind === 'socket.io' ? {} : { connectionStateRecovery: {} });
  io.on('connection', (socket) => {
    socket.join('chat');
    socket.on('say', (n, handled) => {
      io.to('chat').emit('said', n);
      handled?.();
    });
  });
}

standalone(server);
