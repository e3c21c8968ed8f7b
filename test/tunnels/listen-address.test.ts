import assert from 'node:assert/strict';
import test from 'node:test';
import { isLocal, readListenAddress, writeListenAddress } from '../../src/tunnels/listen-address.ts';

const ADDRESSES: readonly (readonly [text: string, local: boolean])[] = [
  ['tcp://127.0.0.1:5432', true],
  ['tcp://localhost:0', true],
  ['tcp://[::1]:5432', true],
  ['tcp://0.0.0.0:5432', false],
  ['tcp://10.1.2.3:1', false],
  ['unix:///run/a b/db.sock', true],
];

test('an address to listen at is read as tbot reads it, and written in the same form', () => {
  for (const [text, local] of ADDRESSES) {
    const address = readListenAddress(text);
    assert.ok(typeof address !== 'string', text);
    assert.equal(writeListenAddress(address), text);
    assert.equal(isLocal(address), local, text);
  }
});

const REFUSED: readonly (readonly [text: string, reason: string])[] = [
  ['127.0.0.1:3306', '"127.0.0.1:3306" is not an address to listen at; expected tcp://127.0.0.1:3306'],
  ['/run/db.sock', '"/run/db.sock" is not an address to listen at; expected unix:///run/db.sock'],
  ['unix://run/db', '"unix://run/db" is not the path of a socket; expected unix:///ABSOLUTE/PATH, with three slashes'],
  ['tcp://:5432', '"tcp://:5432" is not an address to listen at; expected tcp://HOST:PORT'],
  ['tcp://localhost', '"tcp://localhost" is not an address to listen at; expected tcp://HOST:PORT'],
  ['udp://localhost:1', '"udp://localhost:1" is not an address to listen at; expected tcp://HOST:PORT or unix:///PATH'],
];

test('an address without a scheme, or a socket that tbot would create elsewhere, is refused with the right form', () => {
  for (const [text, reason] of REFUSED) assert.equal(readListenAddress(text), reason);
});
