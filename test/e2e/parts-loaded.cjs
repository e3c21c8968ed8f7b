// Preloaded into a process: writes as it ends, as JSON into the file PARTS_LOADED, the source text of each part that it compiled,
// and the modules of Node that it loaded.
const { writeFileSync } = require('node:fs');
const vm = require('node:vm');

const sources = [];
const before = new Set(process.moduleLoadList);
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    sources.push(source);
  }
};

process.on('exit', () => {
  const nodes = process.moduleLoadList.filter((name) => !before.has(name)).map((name) => name.replace(/^\w+ /, ''));
  writeFileSync(process.env.PARTS_LOADED, JSON.stringify({ sources, nodes }));
});
