import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { type ProxyProblem, watchProxy } from '../../src/tunnels/proxy-health.ts';
import { fakeClock } from '../effects/fake-clock.ts';

type Answer = 'answers' | 'is down' | 'is silent';

function failure(answer: Answer): MachineIdError {
  return answer === 'is down'
    ? new MachineIdError('PROXY_UNREACHABLE', 'connection refused', { hint: 'Wait.' })
    : new MachineIdError('TIMEOUT', 'no response', { hint: 'Wait.' });
}

/** @param answers to the questions, in order; afterwards the watch ends */
function watched(answers: readonly Answer[]) {
  const clock = fakeClock();
  const startMs = clock.nowMs();
  const controller = new AbortController();
  const askedAtSeconds: number[] = [];
  const lines: string[] = [];
  const problems: ProxyProblem[] = [];
  const rest = [...answers];
  const note = (line: string) => {
    lines.push(line);
  };
  const health = watchProxy({
    name: 'the Proxy',
    ask: () => {
      const next = rest.shift();
      if (next === undefined) {
        controller.abort(new Error('the test has ended'));
        return Promise.reject(new Error('the test has ended'));
      }
      askedAtSeconds.push((clock.nowMs() - startMs) / 1000);
      return next === 'answers' ? Promise.resolve() : Promise.reject(failure(next));
    },
    clock,
    random: () => 1,
    log: { info: note, warn: note },
    signal: controller.signal,
  });
  health.onProblem((problem) => problems.push(problem));
  return { askedAtSeconds, health, lines, problems };
}

async function ended(): Promise<void> {
  for (let turn = 0; turn < 3000; turn += 1) await Promise.resolve();
}

test('a Proxy that answers is asked every ten seconds, and nothing is logged', async () => {
  const { askedAtSeconds, health, lines } = watched(['answers', 'answers', 'answers']);
  await ended();
  assert.deepEqual(askedAtSeconds, [10, 20, 30]);
  assert.deepEqual([lines, health.outages(), health.problem()], [[], 0, undefined]);
});

test('one that has stopped answering is asked with growing pauses until it answers again', async () => {
  const down = Array.from({ length: 7 }, (): Answer => 'is down');
  const { askedAtSeconds, health, lines, problems } = watched(['answers', ...down, 'answers', 'answers']);
  await ended();
  assert.deepEqual(askedAtSeconds, [10, 20, 20.5, 21.5, 23.5, 27.5, 35.5, 45.5, 55.5, 65.5]);
  assert.deepEqual(lines, [
    'the Proxy does not answer: connection refused; new connections are refused until it does',
    'the Proxy answers again, after 36 seconds',
  ]);
  assert.deepEqual([health.outages(), health.problem()], [1, undefined]);
  assert.deepEqual([...new Set(problems.map(({ sinceMs }) => sinceMs))], [Date.UTC(2026, 0, 1, 0, 0, 20)]);
});

test('while it is down, it is known since when and why, and whether it is silent', async () => {
  const { health } = watched(['is silent']);
  await ended();
  const { error, isSilent, sinceMs } = health.problem() ?? {};
  assert.deepEqual([error?.message, isSilent, sinceMs], ['no response', true, Date.UTC(2026, 0, 1, 0, 0, 10)]);
  assert.equal(health.sinceMs(), sinceMs);
});

test('a connection that fails lets the Proxy be asked at once, but not more than once a second', async () => {
  const { askedAtSeconds, health } = watched(['answers', 'answers', 'answers']);
  const suspecting = (async () => {
    for (let turn = 0; turn < 3000; turn += 1) {
      health.suspect();
      await Promise.resolve();
    }
  })();
  await suspecting;
  assert.deepEqual(askedAtSeconds, [1, 2, 3]);
});
