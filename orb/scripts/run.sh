#!/bin/sh
# Runs the installed machine-id.cjs with the parameters of this step, after proving its bytes once more.
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
[ -f "$script" ] || fail "machine-id.cjs is not in $folder" \
  'The install command of this orb must come first, with the same install_dir.'
require_private "$folder"
verify "$script" "$script"
command -v node >/dev/null 2>&1 || fail 'no node is on PATH, though there was one when the script was installed'

config=$(expand "$MACHINE_ID_PARAM_CONFIG") || exit 1
proxy=$(expand "$MACHINE_ID_PARAM_PROXY") || exit 1
token=$(expand "$MACHINE_ID_PARAM_TOKEN") || exit 1
destination=$(expand "$MACHINE_ID_PARAM_DESTINATION") || exit 1
kubernetes_cluster=$(expand "$MACHINE_ID_PARAM_KUBERNETES_CLUSTER") || exit 1
database=$(expand "$MACHINE_ID_PARAM_DATABASE") || exit 1
database_user=$(expand "$MACHINE_ID_PARAM_DATABASE_USER") || exit 1
database_name=$(expand "$MACHINE_ID_PARAM_DATABASE_NAME") || exit 1
application=$(expand "$MACHINE_ID_PARAM_APPLICATION") || exit 1
ca_file=$(expand "$MACHINE_ID_PARAM_CA_FILE") || exit 1

# The default file may be missing when parameters stand in for it; a file that was named may not.
if [ "$config" = tbot.yaml ] && [ ! -e tbot.yaml ] && [ -n "$proxy$token$destination" ]; then config=; fi

# --flag=value, since a value may begin with a dash.
set -- run
if [ -n "$config" ]; then set -- "$@" "--config=$config"; fi
if [ -n "$proxy" ]; then set -- "$@" "--proxy-server=$proxy"; fi
if [ -n "$token" ]; then set -- "$@" "--token=$token"; fi
if [ -n "$destination" ]; then set -- "$@" "--destination=$destination"; fi
if [ -n "$kubernetes_cluster" ]; then set -- "$@" "--kubernetes-cluster=$kubernetes_cluster"; fi
if [ -n "$database" ]; then set -- "$@" "--database=$database"; fi
if [ -n "$database_user" ]; then set -- "$@" "--database-user=$database_user"; fi
if [ -n "$database_name" ]; then set -- "$@" "--database-name=$database_name"; fi
if [ -n "$application" ]; then set -- "$@" "--application=$application"; fi
if [ -n "$ca_file" ]; then set -- "$@" "--ca-file=$ca_file"; fi
# A boolean parameter arrives as 1 or 0 in an environment, though some versions of the compiler write true or false.
case $MACHINE_ID_PARAM_SSH in 1 | true) set -- "$@" --ssh ;; esac
case $MACHINE_ID_PARAM_DEBUG in 1 | true) set -- "$@" --debug ;; esac
case $MACHINE_ID_PARAM_EXPORT_ENV in
  1 | true)
    [ -n "${BASH_VERSION:-}" ] || say "this shell is not bash: begin later steps with  . \"\$BASH_ENV\""
    ;;
  *) set -- "$@" --no-export ;;
esac

exec node "$script" "$@"
