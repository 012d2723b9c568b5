'use strict';

/** Listens on a port of the system's choice, says it on the output, and ends the process with the input. */
module.exports = function standalone(server) {
  server.listen({ host: '0.0.0.0', port: 0, backlog: 4096 }, () => {
    process.stdout.write(`PORT ${server.address().port}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
};
