/**
 * Runs the built bundle inside the test's process, with a `process` and standard streams of its own. These are the bytes that users run;
 * only the start of Node and the parsing of the bundle, two thirds of the processor time of a run, are saved. What needs a
 * process (signals, exit, memory, variables that Node reads) is tested with one.
 */
import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import { EventEmitter } from 'node:events';
import fs, { readFileSync } from 'node:fs';
import module from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { Script } from 'node:vm';
import { nextRunKey } from '../cluster/crypto/keys.ts';

interface Program {
  readonly bundle: string;
  readonly args: readonly string[];
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly watch?: Watch | undefined;
}

/** For a test that looks at the program while it runs, or acts on it. */
export interface Watch {
  /** Called after each call that may have created the path or changed its mode, before the program goes on. */
  readonly onPath?: (path: string) => void;
  readonly onStderr?: (text: string) => void;
  /** Empty unless given. */
  readonly stdin?: Readable;
  /** Aborted in place of SIGTERM. */
  readonly signal?: AbortSignal;
}

interface ProgramEnd {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves when the program has set its exit code and closed its connections. Its rejections and exceptions are those of the test. */
export async function runInProcess(program: Program): Promise<ProgramEnd> {
  const [stdout, stderr] = [collector(), collector(program.watch?.onStderr)];
  const connections = new Set<Promise<unknown>>();
  const exitCode = await new Promise<number>((onExit) => {
    const ownProcess = processOf(program, { stdout: stdout.stream, stderr: stderr.stream, onExit });
    Reflect.apply(functionOf(program.bundle), undefined, [
      requireFor(program, connections),
      ownProcess,
      program.bundle,
    ]);
  });
  await Promise.all(connections);
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

let compiled: Script | undefined;

/** Compiled once; each call of the function evaluates the bundle anew. */
function functionOf(bundle: string): () => void {
  compiled ??= new Script(`(function (require, process, __filename) {${withoutFirstLine(bundle)}\n})`, {
    filename: bundle,
  });
  const evaluated: unknown = compiled.runInThisContext();
  if (!isFunction(evaluated)) throw new Error(`${bundle} cannot be evaluated`);
  return evaluated;
}

function isFunction(value: unknown): value is () => void {
  return typeof value === 'function';
}

/** The first line names the interpreter. */
function withoutFirstLine(bundle: string): string {
  return readFileSync(bundle, 'utf8').replace(/^#!.*/, '');
}

function collector(onText?: (text: string) => void): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(Buffer.from(chunk));
      onText?.(chunk.toString());
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

interface Streams {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly onExit: (exitCode: number) => void;
}

function processOf({ args, bundle, environment, watch, workingDirectory }: Program, streams: Streams) {
  const { onExit, stderr, stdout } = streams;
  const events = new EventEmitter();
  watch?.signal?.addEventListener('abort', () => events.emit('SIGTERM'), { once: true });
  const own: Readonly<Record<PropertyKey, unknown>> = {
    argv: [process.execPath, bundle, ...args],
    env: { ...environment },
    cwd: () => workingDirectory,
    stdin: watch?.stdin ?? Readable.from([]),
    stdout,
    stderr,
    on: events.on.bind(events),
    removeAllListeners: events.removeAllListeners.bind(events),
    exit: onExit,
  };
  return new Proxy(process, {
    get: (target, name) => {
      if (name in own) return own[name];
      const value: unknown = Reflect.get(target, name);
      return isFunction(value) ? value.bind(target) : value;
    },
    set: (_target, name, value) => {
      if (name === 'exitCode') onExit(Number(value));
      return true;
    },
  });
}

/** The program's RSA keys are shared by the tests: finding primes takes longer than the rest of a run. Others are its own. */
const generateKeys: unknown = promisify(crypto.generateKeyPair);

async function keyPair(...args: readonly unknown[]): Promise<unknown> {
  if (args[0] !== 'rsa' && isFunction(generateKeys)) return Reflect.apply(generateKeys, undefined, [...args]);
  const privateKey = await nextRunKey();
  return { privateKey, publicKey: crypto.createPublicKey(privateKey) };
}

const CRYPTO: unknown = Object.create(crypto, {
  generateKeyPair: { value: Object.assign(() => undefined, { [promisify.custom]: keyPair }) },
});

const load: (id: string) => unknown = module.createRequire(import.meta.url);

/**
 * Node's modules, with the program's own working directory, environment and standard streams.
 * @param connections gets the end of each
 */
function requireFor(program: Program, connections: Set<Promise<unknown>>): (id: string) => unknown {
  const { environment, workingDirectory } = program;
  const own: Readonly<Record<string, unknown>> = {
    'node:crypto': CRYPTO,
    'node:path': { ...path, resolve: (...parts: readonly string[]) => path.resolve(workingDirectory, ...parts) },
    'node:fs': { ...fromDirectory(fs, program), fstatSync: (descriptor: number) => statOf(descriptor), writeSync },
    'node:fs/promises': fromDirectory(fs.promises, program),
    'node:net': {
      ...net,
      connect: (options: net.NetConnectOpts) => {
        const socket = net.connect(options);
        connections.add(new Promise((resolve) => socket.once('close', resolve)));
        return socket;
      },
    },
    'node:tty': { isatty: () => false },
    'node:child_process': {
      ...childProcess,
      spawn: (file: string, args: readonly string[], { env, ...options }: childProcess.SpawnOptions) =>
        childProcess.spawn(file, args, { cwd: workingDirectory, ...options, env: env ?? environment }),
    },
  };
  return (id) => own[id] ?? load(id);
}

/** All arguments of these are paths. */
const TWO_PATHS = /^(?:copyFile|cp|link|rename)(?:Sync)?$/;
/** Of the last argument that is a path. */
const CHANGES = /^(?:appendFile|chmod|copyFile|link|mkdir|mkdtemp|open|rename|writeFile)(?:Sync)?$/;

/** The same functions, which resolve relative paths from the program's directory. */
function fromDirectory(functions: object, { watch, workingDirectory }: Program): Readonly<Record<string, unknown>> {
  const resolved = (name: string, argument: unknown, at: number) => {
    const isPath = name.startsWith('symlink') ? at === 1 : at === 0 || (at === 1 && TWO_PATHS.test(name));
    return isPath && typeof argument === 'string' ? path.resolve(workingDirectory, argument) : argument;
  };
  const wrapped =
    (name: string, call: () => unknown) =>
    (...args: readonly unknown[]): unknown => {
      const given = args.map((argument, at) => resolved(name, argument, at));
      const done: unknown = Reflect.apply(call, functions, given);
      const path = given[TWO_PATHS.test(name) ? 1 : 0];
      if (watch?.onPath === undefined || !CHANGES.test(name) || typeof path !== 'string') return done;
      if (!(done instanceof Promise)) watch.onPath(path);
      return done instanceof Promise ? done.finally(() => watch.onPath?.(path)) : done;
    };
  return Object.fromEntries(
    Object.entries(functions).map(([name, value]: [string, unknown]) => [
      name,
      isFunction(value) ? wrapped(name, value) : value,
    ]),
  );
}

const STDERR = 2;

/** The program writes to its streams what it cannot write at once. */
function writeSync(descriptor: number, bytes: Uint8Array, ...range: readonly number[]): number {
  if (descriptor <= STDERR) throw Object.assign(new Error('the test reads the stream'), { code: 'EAGAIN' });
  return fs.writeSync(descriptor, bytes, ...range);
}

function statOf(descriptor: number): Pick<fs.Stats, 'isFile'> {
  return descriptor <= STDERR ? { isFile: () => false } : fs.fstatSync(descriptor);
}
