#!/bin/sh
# Finds a Node.js that is new enough, or brings one, and leaves its path in the private folder for the other commands.
set -eu

needed=18

. parts/say.sh
. parts/expand.sh
. parts/digest.sh
. parts/private.sh
. parts/make-folder.sh
. parts/download.sh

fetch_without_either() {
  fail 'neither curl nor wget is there to bring Node.js with' 'Install one of them, or use an image with Node.js.'
}

# PROGRAM: prints the real path of this Node.js and its version, when it is one.
look_at() {
  "$1" -e 'const v = process.versions.node; if (v) process.stdout.write(v.split(".")[0] + " " + process.execPath)' 2>/dev/null
}

# The programs that may be Node.js: the one on PATH, then those of version managers, which put theirs on the PATH of
# interactive shells alone.
candidates() {
  command -v node || :
  home=${HOME:-/nowhere}
  for node in "${NVM_DIR:-$home/.nvm}/versions/node"/*/bin/node /opt/circleci/.nvm/versions/node/*/bin/node \
    "${ASDF_DATA_DIR:-$home/.asdf}/installs/nodejs"/*/bin/node; do
    if [ -x "$node" ]; then printf '%s\n' "$node"; fi
  done
}

# Prints the path of the first that is new enough.
find_node() {
  candidates | while IFS= read -r candidate; do
    found=$(look_at "$candidate") || continue
    [ "${found%% *}" -ge "$needed" ] 2>/dev/null || continue
    printf '%s' "${found#* }"
    break
  done
}

# Sets what Node.js calls this system, and the digest of its archive.
choose_archive() {
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    MINGW* | MSYS* | CYGWIN*) os=win ;;
    *) fail "there is no Node.js to bring for $(uname -s)" "Install Node.js $needed or later on the executor." ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) cpu=$(uname -m) ;;
  esac
  version=24.19.0
  suffix=tar.gz
  case $os-$cpu in
    linux-x64) digest=f625d97cd707df4ff96254916fbc5ff014f09c09effe5a1e0ca8f6d41a8789d4 ;;
    linux-arm64) digest=d28c8a5bf0a808f0ed434a1dce8c54ae98f0371c0bd86ac58abc613f73e6643f ;;
    darwin-arm64) digest=8294b7aa9b03997481c06babf1e8b270c859358f27da57a11509afe537ac381d ;;
    darwin-x64) digest=d1b5e999db158c62fe8f7267a4476b035d8bd93b1a605bac24a3f0dd166e3316 ;;
    win-x64) version=24.15.0 suffix=zip digest=cc5149eabd53779ce1e7bdc5401643622d0c7e6800ade18928a767e940bb0e62 ;;
    win-arm64) version=24.15.0 suffix=zip digest=c9eb7402eda26e2ba7e44b6727fc85a8de56c5095b1f71ebd3062892211aa116 ;;
    *) fail "there is no Node.js to bring for $os on $cpu" "Install Node.js $needed or later on the executor." ;;
  esac
  # Node.js's own builds need glibc.
  case $(ldd --version 2>&1 || :) in
    *musl*) fail 'there is no Node.js to bring for an image with musl' 'Add the package nodejs to the image: apk add --no-cache nodejs' ;;
  esac
}

# ARCHIVE FOLDER: only the program itself, whatever else there is.
unpack() {
  case $suffix in
    zip) unzip -q -o -j "$1" "$build/node.exe" -d "$2" ;;
    *) (cd "$2" && gzip -dc | tar -xf - "$build/bin/node" && mv "$build/bin/node" node && rmdir "$build/bin" "$build") <"$1" ;;
  esac
}

# Prints the path of the Node.js that is there then.
bring_node() {
  choose_archive
  build=node-v$version-$os-$cpu
  program=node
  if [ "$os" = win ]; then program=node.exe; fi
  brought=$folder/$build/$program
  if [ ! -x "$brought" ]; then
    new=$folder/.$build.$$
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir "$new"
    mirror=$(expand "$MACHINE_ID_PARAM_NODE_MIRROR") || exit 1
    url=${mirror%/}/v$version/$build.$suffix
    download "$url" "$new/archive" node_mirror 'Name a mirror with the parameter node_mirror, or use an image with Node.js.'
    verify "$new/archive" "$digest" "$(without_secrets "$url")" 'The mirror must hold the archives of nodejs.org as they are.'
    unpack "$new/archive" "$new" || fail "$build.$suffix cannot be unpacked" 'tar and gzip are needed, on Windows unzip.'
    rm -f "$new/archive"
    chmod 700 "$new/$program"
    rm -rf "${folder:?}/$build"
    mv "$new" "$folder/$build"
    trap - EXIT
  fi
  look_at "$brought" >/dev/null ||
    fail "$brought was brought but does not start" 'Is the folder mounted with noexec? Name another one with the parameter install_dir.'
  printf '%s' "$brought"
}

umask 077
folder=$(make_folder) || exit 1
require_private "$folder"
# What an earlier install has found is not started again only to see that it is there.
found=$(cat "$folder/node-path" 2>/dev/null) || found=
if [ -n "$found" ] && [ -x "$found" ]; then
  say "Node.js is there already: $found"
  exit 0
fi
found=$(find_node)
if [ -n "$found" ]; then
  say "Node.js is there: $found"
else
  case $MACHINE_ID_PARAM_BRING_NODE in
    1 | true) ;;
    *) fail "Node.js $needed or later is needed, and none was found" \
      'Use an image with Node.js, such as cimg/node:lts or a cimg image whose tag ends in -node, or leave bring_node on.' ;;
  esac
  found=$(bring_node) || exit 1
  say "Node.js is used from $found; the PATH of the job stays as it is"
fi
printf '%s' "$found" >"$folder/node-path"
