#!/bin/sh
# Starts the installed machine-id.cjs for this step of the orb, after verifying its SHA-256 again.
. parts/shell.sh

mi_version='__VERSION__'
mi_sha256='__BUNDLE_SHA256__'

. parts/say.sh
. parts/expand.sh
. parts/folder.sh
. parts/node-options.sh

holds_script() { [ -f "$1/machine-id.cjs" ]; }

mi_folder=$(find_folder holds_script) || exit 1
mi_script=$mi_folder/machine-id.cjs
if ! holds_script "$mi_folder"; then
  mi_where=$mi_folder
  if [ -z "${MACHINE_ID_PARAM_INSTALL_DIR-}" ] && [ -n "${HOME-}" ]; then
    mi_where="$HOME/.teleport-machine-id or $mi_folder"
  fi
  # This step runs even if another step failed, possibly install itself.
  if [ "$MACHINE_ID_STEP" = cleanup ]; then
    say "machine-id.cjs is not in $mi_where, so it cannot have written anything"
    exit 0
  fi
  fail "machine-id.cjs is not in $mi_where" 'Run the install command of this orb first, with the same install_dir.'
fi
mi_node=
if [ -f "$mi_folder/node-path" ]; then IFS= read -r mi_node <"$mi_folder/node-path" || :; fi
[ -x "$mi_node" ] ||
  fail "the Node.js that install found no longer exists${mi_node:+: $mi_node}" 'Run the install command of this orb again.'

MACHINE_ID_ORB_VERSION=$mi_version
# Bash called as sh counts as another shell, because it does not read the file named by BASH_ENV.
MACHINE_ID_SHELL=other
mi_options=
eval "mi_options=\${SHELLOPTS-}"
if [ -n "${BASH_VERSION-}" ]; then case ":$mi_options:" in *:posix:*) ;; *) MACHINE_ID_SHELL=bash ;; esac; fi
export MACHINE_ID_ORB_VERSION MACHINE_ID_SHELL

# The bytes that were verified are the bytes that run, even if the file changes meanwhile.
exec "$mi_node" -e '
  const { readFileSync, statSync } = require("fs"), path = require("path"), Module = require("module");
  const [script, expected, version] = process.argv.splice(1, 3, process.argv[1]);
  const folder = path.dirname(script);
  const refuse = (what, hint) => {
    process.stderr.write("machine-id: " + what + "\nmachine-id: " + hint + "\n");
    process.exit(1);
  };
  const { mode, uid } = statSync(folder), user = process.getuid?.();
  if (user !== undefined && (uid !== user || (mode & 0o22) !== 0))
    refuse(folder + " belongs to another user, or others may write to it",
      "Remove it, or set the parameter install_dir to another folder, and install again.");
  const bytes = readFileSync(script);
  const actual = require("crypto").createHash("sha256").update(bytes).digest("hex");
  if (actual !== expected)
    refuse(script + " is refused: expected SHA-256 " + expected + ", got " + actual,
      "Only the machine-id.cjs of version " + version + " is accepted; run the install command of this orb version again.");
  const main = new Module(script, null);
  main.filename = script;
  main.paths = Module._nodeModulePaths(folder);
  main._compile(bytes.toString(), script);
' "$mi_script" "$mi_sha256" "$mi_version" orb-step "$MACHINE_ID_STEP"
