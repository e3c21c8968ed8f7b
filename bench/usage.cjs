// Preloaded into a measured process: prints its peak resident memory in KiB and its CPU time in microseconds, as JSON on
// file descriptor 3, as it ends.
const { writeSync } = require('node:fs');

process.on('exit', () => {
  const { maxRSS, systemCPUTime, userCPUTime } = process.resourceUsage();
  writeSync(3, JSON.stringify({ peakKib: maxRSS, cpuMicros: systemCPUTime + userCPUTime }));
});
