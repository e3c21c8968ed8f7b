/** Signals to this process: they interrupt it, or while another program runs in its place, go to that program. */

export type SignalTarget = (name: NodeJS.Signals) => void;

/** From now on, signals go to the target. @returns how to end that */
export type ForwardSignals = (target: SignalTarget) => () => void;

const INTERRUPTS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;
/** They end or stop a process, or a program may have given them a meaning. Node throws for them on Windows. */
const OTHERS = ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

export function listenToSignals(interrupt: SignalTarget): ForwardSignals {
  let target: SignalTarget | undefined;
  for (const name of INTERRUPTS) {
    process.on(name, () => {
      (target ?? interrupt)(name);
    });
  }
  return (chosen) => {
    target = chosen;
    const others = process.platform === 'win32' ? [] : OTHERS;
    for (const name of others) process.on(name, chosen);
    return () => {
      target = undefined;
      for (const name of others) process.off(name, chosen);
    };
  };
}
