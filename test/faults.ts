/**
 * What can go wrong with the machine that a run is on and with the servers that it talks to, and what the run then does. Each
 * fault names the test that tries it; test/docs/faults.test.ts checks that the tests exist. Faults of the network are in test/chaos.
 */

/** How a run may end. */
export const PROMISES = {
  works: 'The run works as always.',
  complete: 'The files are the old ones or the new ones, complete, or become so in the next run.',
  code: 'The run ends with an error code, and its files stay as they were.',
  named: 'The run names the cause, with a fix.',
  private: 'Nothing that the run writes can be read by others, at any moment.',
  neutral: 'What was sent is shown or written as text and has no other effect.',
  bounded: 'The run ends in time and in little memory.',
  clean: 'No process, socket or temporary file is left.',
} as const;

export interface Fault {
  readonly group: 'process' | 'machine' | 'files' | 'peer' | 'certificates' | 'names';
  readonly fault: string;
  readonly promise: keyof typeof PROMISES;
  /** The name of the test, with `…` for what is put in for each case. */
  readonly test: string;
  readonly file: string;
}

const E2E = 'test/e2e';
const MACHINE = `${E2E}/odd-machine.test.ts`;
const FLOOD = 'test/connections/hostile-server.test.ts';
const WEB_FLOOD = 'test/connections/hostile-web.test.ts';

type Rest = readonly [fault: string, promise: Fault['promise'], test: string, file: string];

const of = (group: Fault['group'], rows: readonly Rest[]): readonly Fault[] =>
  rows.map(([fault, promise, test, file]) => ({ group, fault, promise, test, file }));

export const MACHINE_AND_PEER_FAULTS: readonly Fault[] = [
  ...of('process', [
    [
      'SIGKILL at every step of a run',
      'complete',
      'whenever a run is killed, the next one leaves all new or all previous files, even if it is refused',
      `${E2E}/killed.test.ts`,
    ],
    [
      'SIGKILL while files are written',
      'complete',
      'SIGKILL at any moment while files are written leaves complete files for the next run',
      `${E2E}/killed.test.ts`,
    ],
    [
      'SIGKILL of a run that completes another one',
      'complete',
      'a run that is killed again while it completes another is completed by the one after',
      'test/files/recover-directory.test.ts',
    ],
    [
      'SIGKILL, then only cleanup',
      'clean',
      'cleanup removes everything that a killed run has left',
      `${E2E}/killed-cleanup.test.ts`,
    ],
    [
      'SIGTERM and SIGINT at every step',
      'complete',
      '… during … ends the run at once and keeps the previous files',
      `${E2E}/interrupt.test.ts`,
    ],
    [
      'SIGTERM while an error is handled',
      'clean',
      'SIGTERM ends the run, whatever error it causes',
      `${E2E}/interrupt.test.ts`,
    ],
    [
      'a second signal, while a program that the run started hangs',
      'clean',
      'a second signal ends the process at once, and a hung agent of CircleCI with it',
      `${E2E}/interrupt.test.ts`,
    ],
    [
      'SIGKILL of a step whose tunnel is starting',
      'clean',
      'after kill -9 of a step whose tunnel is starting, no process is left, and the next start works',
      `${E2E}/tunnel-killed.test.ts`,
    ],
    ['signals that the parent ignores', 'works', 'with …', MACHINE],
    ['a closed standard input', 'works', 'with …', MACHINE],
    ['outputs that are closed when the run starts', 'works', 'with …', MACHINE],
    [
      'outputs whose reader goes away',
      'works',
      'a run succeeds if its log is not read',
      `${E2E}/broken-streams.test.ts`,
    ],
    ['a log on a full disk', 'works', 'a run succeeds if its log cannot be stored', `${E2E}/broken-streams.test.ts`],
    [
      'a result that cannot be written',
      'named',
      'a result that cannot be … fails the command after its work',
      `${E2E}/broken-streams.test.ts`,
    ],
    [
      'two runs with one destination at the same time',
      'complete',
      'runs with one destination at the same time all succeed, and leave the files of one of them',
      'test/files/recover-directory.test.ts',
    ],
    [
      'concurrent runs of which some are killed',
      'complete',
      'concurrent runs, some of them killed, leave complete files',
      `${E2E}/killed-cleanup.test.ts`,
    ],
  ]),
  ...of('machine', [
    ['a heap of 64 MB', 'works', 'with …', MACHINE],
    ['few open files (ulimit -n)', 'works', 'with …', MACHINE],
    ['no open file left (EMFILE)', 'code', '… is named, with the path', 'test/files/prepare-directory.test.ts'],
    ['a limit on the size of files (ulimit -f)', 'code', 'with a limit on the size of files', MACHINE],
    ['umask 000', 'private', 'with …', MACHINE],
    ['umask 777', 'works', 'with …', MACHINE],
    [
      'a full disk',
      'code',
      'a destination on a full disk is named, and nothing is left in it',
      `${E2E}/odd-files.test.ts`,
    ],
    [
      'a disk that is full at each write',
      'code',
      'when staging file … fails, the existing files stay',
      'test/files/write-directory.test.ts',
    ],
    [
      'a full disk behind $BASH_ENV',
      'code',
      'a BASH_ENV on a full disk keeps only complete lines',
      `${E2E}/odd-files.test.ts`,
    ],
    ['an exhausted quota', 'code', '… is named, with the path', 'test/files/prepare-directory.test.ts'],
    [
      'a read-only file system',
      'code',
      'a read-only destination is reported before the cluster is contacted',
      `${E2E}/odd-files.test.ts`,
    ],
    ['a file system where no program can be executed', 'works', 'where programs cannot be executed', MACHINE],
    ['a $TMPDIR that is missing or takes no files', 'works', 'with …', MACHINE],
    [
      'a home directory that is missing, or not writable',
      'works',
      'a run does not need a home directory, which is …, and cleanup still works',
      `${E2E}/odd-files.test.ts`,
    ],
    [
      'a clock that is two minutes behind',
      'named',
      'Teleport …: a run whose clock is two minutes behind continues with warnings',
      `${E2E}/certificate-refusals.test.ts`,
    ],
    [
      'a clock that is days off',
      'named',
      'Teleport …: a clock that is far behind is named with the difference',
      `${E2E}/certificate-refusals.test.ts`,
    ],
    [
      'a clock that jumps while files are written',
      'complete',
      'a file of a process that runs is in use, also after a jump of the clock',
      'test/effects/process-mark.test.ts',
    ],
  ]),
  ...of('files', [
    [
      'a destination that is a symbolic link',
      'code',
      'a destination that is a symbolic link is rejected',
      `${E2E}/destination.test.ts`,
    ],
    [
      'a destination that becomes a link during a run',
      'code',
      'a directory that a link replaced since it was prepared is refused by …',
      'test/files/write-directory.test.ts',
    ],
    [
      'a link in place of a file',
      'code',
      'a symbolic link where a file is expected is not followed',
      `${E2E}/destination.test.ts`,
    ],
    [
      'a FIFO, a socket or a device in place of a file',
      'code',
      '… instead of a file is rejected with …, and nothing is written',
      'test/files/write-directory.test.ts',
    ],
    [
      'an existing file with a second name',
      'complete',
      'and leaves alone the file that an existing one is a second name of',
      MACHINE,
    ],
    [
      'a directory without permission for this user',
      'code',
      '… is named, with the path',
      'test/files/prepare-directory.test.ts',
    ],
    [
      'a directory that others can read',
      'named',
      'a directory that other users can read is used with a warning',
      `${E2E}/destination.test.ts`,
    ],
    ['a path longer than the system allows', 'code', 'with a path …', MACHINE],
    ['a path that is as long as the system allows', 'code', 'with a path …', MACHINE],
    [
      'a $BASH_ENV that is a pipe, a socket, a directory or a device',
      'code',
      'BASH_ENV that names … fails the run before the cluster is contacted',
      `${E2E}/odd-files.test.ts`,
    ],
    [
      'a configuration in a pipe that nobody writes',
      'clean',
      'SIGTERM ends the wait for a pipe without a writer: …',
      `${E2E}/odd-files.test.ts`,
    ],
    [
      "another one's list of renames in the destination",
      'complete',
      'a list … is removed without being followed, and does not stop a write',
      'test/files/recover-directory.test.ts',
    ],
  ]),
  ...of('peer', [
    ['a body of 10 GB', 'bounded', 'a request that is flooded with … ends in time and in little memory', WEB_FLOOD],
    [
      'chunks, trailers, headers and informational responses without end',
      'bounded',
      'a request that is flooded with … ends in time and in little memory',
      WEB_FLOOD,
    ],
    [
      'a body of a few bytes that unpacks to 64 MiB',
      'bounded',
      '64 MiB that come as … bytes of … are refused before they are unpacked',
      'test/fuzz/web.test.ts',
    ],
    ['JSON that is a megabyte deep', 'bounded', '… is read or refused without delay', 'test/fuzz/large-input.test.ts'],
    [
      'a gRPC message over the limit',
      'code',
      'a response to … that is … fails the run immediately and changes nothing',
      `${E2E}/broken-replies.test.ts`,
    ],
    [
      'a message of the largest size, byte by byte',
      'bounded',
      'the largest message can arrive byte by byte, and a larger one is refused at its prefix',
      'test/fuzz/grpc-messages.test.ts',
    ],
    [
      'floods of HTTP/2: pings, settings, resets, continuations, priorities, padding, empty and unknown frames',
      'bounded',
      '… that is flooded with … ends in time and in little memory',
      FLOOD,
    ],
    [
      'headers of HTTP/2 that unpack to much',
      'bounded',
      '… that is flooded with … ends in time and in little memory',
      FLOOD,
    ],
    [
      'streams that are refused again and again',
      'bounded',
      'a call that a server refuses repeatedly fails',
      'test/connections/refused-calls.test.ts',
    ],
    [
      'pings over a WebSocket whose answers nobody reads',
      'bounded',
      'a server that sends pings and reads nothing does not fill the memory',
      'test/connections/websocket.test.ts',
    ],
    ['a redirect', 'code', 'a redirect is returned and not followed', 'test/connections/web.test.ts'],
    [
      'a redirect of a download to another server',
      'neutral',
      'a redirect to another server is followed, without the password of the first',
      `${E2E}/install-tools-refusals.test.ts`,
    ],
    [
      'a server that never answers, at any step',
      'code',
      'a server that never responds is given up',
      'test/connections/web.test.ts',
    ],
    [
      'a server that asks to wait longer than the deadline',
      'code',
      'a Proxy that requests … a pause that exceeds the deadline fails the run immediately',
      `${E2E}/deadline.test.ts`,
    ],
    [
      'an archive with paths that lead outside, links, devices, or more bytes than announced',
      'code',
      '… is rejected, and no files are left',
      `${E2E}/install-tools-refusals.test.ts`,
    ],
  ]),
  ...of('certificates', [
    [
      'a join with certificates for another key or cluster, or of the wrong century',
      'code',
      'a join … is rejected if the certificates are …',
      `${E2E}/certificate-refusals.test.ts`,
    ],
    [
      'an output with certificates for another key, cluster, user or role, or of the wrong century',
      'code',
      'an output is not written with certificates that are …',
      `${E2E}/certificate-refusals.test.ts`,
    ],
    [
      'an Auth Service with a certificate of another authority, or out of its time',
      'code',
      'an Auth Service whose certificate is … gets no requests',
      `${E2E}/certificate-refusals.test.ts`,
    ],
    [
      'a web certificate that is not trusted',
      'code',
      'an untrusted web certificate fails the run before the OIDC token is sent',
      `${E2E}/web-trust.test.ts`,
    ],
    [
      'a list of 10,000 authorities',
      'code',
      'a list of 10,000 authorities, which is larger than a message may be, is refused',
      `${E2E}/many-authorities.test.ts`,
    ],
    [
      'a list of 500 authorities, with a heap of 64 MB',
      'works',
      'a cluster that lists 500 authorities of each type is used, with 64 MB of memory',
      `${E2E}/many-authorities.test.ts`,
    ],
    [
      'an SSH certificate that is cut or changed anywhere',
      'code',
      'an … certificate that is truncated anywhere is refused',
      'test/fuzz/damaged-certificates.test.ts',
    ],
    [
      'a TLS certificate that is changed anywhere',
      'code',
      'a TLS certificate is read in full or refused',
      'test/fuzz/certificates.test.ts',
    ],
    [
      'an SSH certificate of megabytes',
      'bounded',
      '… is read or refused without delay',
      'test/fuzz/large-input.test.ts',
    ],
  ]),
  ...of('names', [
    [
      'NUL, line breaks, escapes, `..`, quotes and bidi characters in names of roles and Kubernetes clusters: log, summary, HTML report',
      'neutral',
      'hostile names of roles and Kubernetes clusters',
      `${E2E}/hostile-names.test.ts`,
    ],
    [
      'the same in claims of the OIDC token',
      'neutral',
      'a hostile claim of the OIDC token adds no lines',
      `${E2E}/hostile-names.test.ts`,
    ],
    [
      'the same in an error',
      'neutral',
      'an error that quotes a hostile name adds no lines',
      `${E2E}/hostile-names.test.ts`,
    ],
    [
      'the name of a leaf cluster that leads outside, or adds lines to ssh_config and known_hosts',
      'neutral',
      'a leaf cluster that is … is skipped, and named once',
      `${E2E}/outputs.test.ts`,
    ],
    [
      'the name of the cluster itself',
      'code',
      'what a Proxy says of its cluster is taken or refused',
      'test/fuzz/answers.test.ts',
    ],
    [
      'blanks, quotes, tokens of ssh_config, globs and backslashes in the path of a destination: OpenSSH reads the same path',
      'neutral',
      'OpenSSH finds key, certificate and known hosts in a folder named …',
      'test/outputs/open-ssh.test.ts',
    ],
    [
      'characters in a path that ssh_config cannot name',
      'code',
      'the path … is refused: ssh_config could not name it',
      'test/files/prepare-directory.test.ts',
    ],
    [
      'quotes, commands and line breaks in values of $BASH_ENV',
      'neutral',
      'bash reads back … unchanged',
      'test/job/bash-env.test.ts',
    ],
    [
      'a name in a predicate that is sent to the cluster',
      'neutral',
      'a predicate quotes the name, so that no name can change its meaning',
      'test/outputs/find-resource.test.ts',
    ],
    [
      'a name that begins with a dash, for setfacl',
      'code',
      'the name … never reaches setfacl',
      'test/files/readers.test.ts',
    ],
    [
      'escapes in a line of the log',
      'neutral',
      'what a line of the log quotes cannot rewrite a terminal',
      'test/effects/log.test.ts',
    ],
  ]),
];
