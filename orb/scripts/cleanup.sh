#!/bin/sh
# Lets the installed machine-id.cjs remove what it wrote in this job, after proving its bytes once more.
set -eu

version='__VERSION__'
sha256='__BUNDLE_SHA256__'

say() { printf 'machine-id: %s\n' "$1" >&2; }

# MESSAGE [HINT]
fail() {
  say "$1"
  if [ -n "${2:-}" ]; then say "$2"; fi
  exit 1
}

# TEXT: prints it with $NAME, ${NAME} and a leading ~/ replaced; nothing in it is ever run.
expand() (
  rest=$1
  text=
  case $rest in \~/*) rest="\${HOME}${rest#?}" ;; esac
  while [ "$rest" != "${rest#*\$}" ]; do
    text=$text${rest%%\$*}
    rest=${rest#*\$}
    case $rest in
      '{'*'}'*)
        rest=${rest#'{'}
        name=${rest%%'}'*}
        rest=${rest#*'}'}
        ;;
      [A-Za-z_]*)
        name=${rest%%[!A-Za-z0-9_]*}
        rest=${rest#"$name"}
        ;;
      *)
        text="$text\$"
        continue
        ;;
    esac
    case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) fail "\"$1\" holds \${$name}, which is no variable's name" ;; esac
    text=$text$(printenv "$name") || fail "\"$1\" holds \$$name, but the job has no variable of that name"
  done
  printf '%s' "$text$rest"
)

# FILE: prints its SHA-256 by whichever program is there.
digest_of() {
  {
    sha256sum <"$1" || shasum -a 256 <"$1" || openssl dgst -sha256 -r <"$1" ||
      node -e 'process.stdin.pipe(require("crypto").createHash("sha256").setEncoding("hex")).pipe(process.stdout)' <"$1"
  } 2>/dev/null | cut -c 1-64
}

# FILE ORIGIN
verify() {
  actual=$(digest_of "$1") || actual=
  [ -n "$actual" ] || fail 'nothing here can compute a SHA-256, so the script is refused' \
    'Install one of sha256sum (coreutils), shasum (perl) or openssl.'
  [ "$actual" = "$sha256" ] || fail "$2 is refused: expected SHA-256 $sha256, got $actual" \
    "Only the machine-id.cjs of version $version is accepted; run the install command of this orb version again."
}

# FOLDER: others who may write there could swap the script after the check.
require_private() {
  [ -n "$(find "$1/." -prune -user "$(id -u)" ! -perm -020 ! -perm -002)" ] ||
    fail "$1 belongs to another user, or others may write to it" \
      'Remove it, or name a folder of your own with the parameter install_dir.'
}

# Prints the folder that install chose.
find_folder() {
  if [ -n "$MACHINE_ID_PARAM_INSTALL_DIR" ]; then
    expand "$MACHINE_ID_PARAM_INSTALL_DIR"
  elif [ -f "${HOME:-/dev/null}/.teleport-machine-id/machine-id.cjs" ]; then
    printf '%s' "$HOME/.teleport-machine-id"
  else
    printf '%s' "${TMPDIR:-/tmp}/teleport-machine-id-$(id -u)"
  fi
}

folder=$(find_folder) || exit 1
script=$folder/machine-id.cjs
# This step runs after any other has failed, install among them.
if [ ! -f "$script" ]; then
  say "machine-id.cjs is not in $folder, so there is nothing that it could have written"
  exit 0
fi
require_private "$folder"
verify "$script" "$script"
command -v node >/dev/null 2>&1 || fail 'no node is on PATH, though there was one when the script was installed'

exec node "$script" cleanup
