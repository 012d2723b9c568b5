'use strict';

// An echo and a group on ws: one process, no compression, a check of UTF-8 and a frame per member as it comes.

const http = require('node:http');
const { WebSocketServer } = require('ws');
const standalone = require('./standalone');

const [ECHO, SUBSCRIBE, PUBLISH] = Buffer.from('esp');
const TEXT = { binary: false };

const members = new Set();
const server = http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 64 * 1024 + 1, clientTracking: false });

sockets.on('connection', (socket) => {
  socket.on('message', (message) => {
    switch (message[0]) {
      case ECHO:
        socket.send(message, TEXT);
        break;
      case SUBSCRIBE:
        members.add(socket);
        socket.send(message, TEXT);
        break;
      case PUBLISH:
        for (const member of members) {
          member.send(message, TEXT);
        }
        break;
      default:
        socket.close();
    }
  });
  socket.on('close', () => members.delete(socket));
  socket.on('error', () => socket.terminate());
});

standalone(server);
