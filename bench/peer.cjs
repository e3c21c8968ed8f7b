// A stand-in for a node: sends a number of MiB to each client, then closes the connection. Prints its port.
const { createServer } = require('node:net');

const BLOCK = Buffer.alloc(1024 * 1024, 'x');
const count = Number(process.argv[2]);

const server = createServer({ allowHalfOpen: true }, (socket) => {
  let sent = 0;
  const more = () => {
    while (sent < count) {
      sent += 1;
      if (!socket.write(BLOCK)) return;
    }
    socket.end();
  };
  socket.on('error', () => socket.destroy());
  socket.on('drain', more);
  more();
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
