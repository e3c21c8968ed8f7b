#!/bin/sh
# Finds a Node.js that is new enough, and writes its path to the private folder for the other commands.
. parts/shell.sh

# The job's NODE_OPTIONS may preload a module that is missing here; Node.js would then not even print its version.
unset NODE_OPTIONS

. parts/say.sh
. parts/programs.sh
. parts/expand.sh
. parts/folder.sh
. parts/make-folder.sh

# PROGRAM: prints the major version and the real path, if it is Node.js. Bun and Deno imitate it.
look_at() {
  "$1" -e 'const { node, bun, deno } = process.versions;
    if (node && !bun && !deno) process.stdout.write(node.split(".")[0] + " " + process.execPath)' 2>/dev/null </dev/null
}

# The programs that may be Node.js: those on PATH, then those of version managers, which change the PATH of
# interactive shells only.
candidates() (
  IFS=:
  for mi_place in ${PATH-}; do printf '%s\n' "${mi_place:-.}/node" "${mi_place:-.}/node.exe"; done
  set +f
  mi_home=${HOME:-/nowhere}
  for mi_place in "${NVM_DIR:-$mi_home/.nvm}/versions/node"/*/bin/node /opt/circleci/.nvm/versions/node/*/bin/node \
    "${ASDF_DATA_DIR:-$mi_home/.asdf}/installs/nodejs"/*/bin/node; do
    printf '%s\n' "$mi_place"
  done
)

# Prints the path of the first one that is new enough.
find_node() {
  candidates | while IFS= read -r mi_candidate; do
    if [ ! -f "$mi_candidate" ] || [ ! -x "$mi_candidate" ]; then continue; fi
    mi_found=$(look_at "$mi_candidate") || continue
    [ "${mi_found%% *}" -ge "$mi_needed" ] 2>/dev/null || continue
    printf '%s' "${mi_found#* }"
    break
  done
}

# The programs that the scripts of this orb always need.
require_programs 'install machine-id' chmod cp head ls mkdir mv rm rmdir sleep
make_folder
# The result of an earlier install is not checked by starting it again.
mi_found=
if [ -f "$mi_folder/node-path" ]; then IFS= read -r mi_found <"$mi_folder/node-path" || :; fi
if [ -n "$mi_found" ] && [ -x "$mi_found" ]; then
  say "using the Node.js found earlier: $mi_found"
  exit 0
fi
mi_found=$(find_node)
if [ -n "$mi_found" ]; then
  say "found Node.js: $mi_found"
  printf '%s' "$mi_found" >|"$mi_folder/node-path"
else
  rm -f "$mi_folder/node-path"
  case ${MACHINE_ID_PARAM_BRING_NODE-} in
    1 | true) say "Node.js $mi_needed or later was not found; the next step downloads it" ;;
    *) fail "Node.js $mi_needed or later is needed, but was not found" \
      'Use an image with Node.js, such as cimg/node:lts or a cimg image whose tag ends in -node, or set bring_node to true.' ;;
  esac
fi
