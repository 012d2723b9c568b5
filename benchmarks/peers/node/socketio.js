'use strict';

// An echo and a room on Socket.IO: one process, its own adapter, WebSocket from the start, no compression.

const http = require('node:http');
const { Server } = require('socket.io');
const standalone = require('./standalone');

const MINUTES = 60_000;

const server = http.createServer();
const io = new Server(server, {
  transports: ['websocket'],
  allowUpgrades: false,
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  maxHttpBufferSize: 128 * 1024,
  pingInterval: 10 * MINUTES,
  pingTimeout: 10 * MINUTES,
});

io.engine.on('connection', (connection) => {
  connection.request = null; // the upgrade, which nobody asks for again
});

io.on('connection', (socket) => {
  socket.on('e', (payload) => socket.emit('e', payload));
  socket.on('s', () => {
    socket.join('g');
    socket.emit('s', '');
  });
  socket.on('p', (payload) => io.to('g').emit('p', payload));
});

standalone(server);
