#!/bin/sh
# Downloads a pinned version of Node.js and verifies its SHA-256, if the previous step found no Node.js.
. parts/shell.sh

unset NODE_OPTIONS

. parts/say.sh
. parts/programs.sh
. parts/expand.sh
. parts/folder.sh
. parts/make-folder.sh
. parts/digest.sh
. parts/download.sh

# Sets Node.js's names for this system and CPU, and the version, format and digest of the archive.
choose_archive() {
  case $(uname -s) in
    Linux) mi_os=linux ;;
    Darwin) mi_os=darwin ;;
    MINGW* | MSYS* | CYGWIN*) mi_os=win ;;
    *) fail "the orb cannot download Node.js for $(uname -s)" "Install Node.js $mi_needed or later on the executor." ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) mi_cpu=x64 ;;
    aarch64 | arm64) mi_cpu=arm64 ;;
    *) mi_cpu=$(uname -m) ;;
  esac
  mi_release=24.19.0
  mi_suffix=tar.gz
  case $mi_os-$mi_cpu in
    linux-x64) mi_digest=f625d97cd707df4ff96254916fbc5ff014f09c09effe5a1e0ca8f6d41a8789d4 ;;
    linux-arm64) mi_digest=d28c8a5bf0a808f0ed434a1dce8c54ae98f0371c0bd86ac58abc613f73e6643f ;;
    darwin-arm64) mi_digest=8294b7aa9b03997481c06babf1e8b270c859358f27da57a11509afe537ac381d ;;
    darwin-x64) mi_digest=d1b5e999db158c62fe8f7267a4476b035d8bd93b1a605bac24a3f0dd166e3316 ;;
    win-x64) mi_release=24.15.0 mi_suffix=zip mi_digest=cc5149eabd53779ce1e7bdc5401643622d0c7e6800ade18928a767e940bb0e62 ;;
    win-arm64) mi_release=24.15.0 mi_suffix=zip mi_digest=c9eb7402eda26e2ba7e44b6727fc85a8de56c5095b1f71ebd3062892211aa116 ;;
    *) fail "the orb cannot download Node.js for $mi_os on $mi_cpu" "Install Node.js $mi_needed or later on the executor." ;;
  esac
  # The builds of nodejs.org need glibc.
  case $(ldd --version 2>&1 || :) in
    *musl*) fail 'the orb cannot download Node.js for an image with musl' 'Add the package nodejs to the image: apk add --no-cache nodejs' ;;
  esac
}

# ARCHIVE FOLDER: unpacks the node program and nothing else.
unpack() {
  case $mi_suffix in
    zip) unzip -q -o -j "$1" "$mi_build/node.exe" -d "$2" ;;
    *) (cd "$2" && gzip -dc | tar -xf - "$mi_build/bin/node" && mv "$mi_build/bin/node" node && rmdir "$mi_build/bin" "$mi_build") <"$1" ;;
  esac
}

fetch_without_either() {
  fail 'curl or wget is needed to download Node.js, and neither was found' 'Install one of them, or use an image with Node.js.'
}

# Downloads Node.js unless an earlier step did, and prints its path.
bring_node() {
  require_programs 'download Node.js' uname
  choose_archive
  case $mi_suffix in
    zip) require_programs 'unpack Node.js' unzip ;;
    *) require_programs 'unpack Node.js' tar gzip ;;
  esac
  mi_build=node-v$mi_release-$mi_os-$mi_cpu
  mi_program=node
  if [ "$mi_os" = win ]; then mi_program=node.exe; fi
  mi_brought=$mi_folder/$mi_build/$mi_program
  if [ ! -x "$mi_brought" ]; then
    mi_new=$mi_folder/.$mi_build.$$
    trap 'rm -rf "$mi_new"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir "$mi_new"
    mi_mirror=$(expand "${MACHINE_ID_PARAM_NODE_MIRROR-}") || exit 1
    mi_url=${mi_mirror%/}/v$mi_release/$mi_build.$mi_suffix
    download "$mi_url" "$mi_new/archive" node_mirror 'Set the parameter node_mirror to a mirror, or use an image with Node.js.'
    verify "$mi_new/archive" "$mi_digest" "$(without_secrets "$mi_url")" 'The mirror must have the unmodified archives of nodejs.org.'
    unpack "$mi_new/archive" "$mi_new" || fail "$mi_build.$mi_suffix cannot be unpacked" 'Check that the disk has free space.'
    rm -f "$mi_new/archive"
    chmod 700 "$mi_new/$mi_program"
    rm -rf "${mi_folder:?}/$mi_build"
    mv "$mi_new" "$mi_folder/$mi_build"
    trap - EXIT
  fi
  "$mi_brought" -e 0 2>/dev/null </dev/null ||
    fail "the downloaded $mi_brought does not start" \
      'The folder may be mounted with noexec; set the parameter install_dir to another folder.'
  printf '%s' "$mi_brought"
}

make_folder
if [ -f "$mi_folder/node-path" ]; then exit 0; fi
mi_found=$(bring_node) || exit 1
say "using Node.js from $mi_found; the PATH of the job is unchanged"
printf '%s' "$mi_found" >|"$mi_folder/node-path"
