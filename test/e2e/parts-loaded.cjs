// Preloaded into a process: prints as it ends, as JSON on file descriptor 3, the source text of each part that it compiled.
const { writeFileSync } = require('node:fs');
const vm = require('node:vm');

const sources = [];
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    sources.push(source);
  }
};

process.on('exit', () => {
  writeFileSync(process.env.PARTS_LOADED, JSON.stringify(sources));
});
