#!/bin/sh
# Puts machine-id.cjs into a private folder, but only the very bytes that this version of the orb was packed with.
set -eu

version='__VERSION__'
sha256='__BUNDLE_SHA256__'
needed_node=18

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

require_node() {
  remedy='Use an image with Node.js, such as cimg/node:lts or a cimg image whose tag ends in -node.'
  found=$(node --version 2>/dev/null) || fail "Node.js $needed_node or later is needed, and no node is on PATH" "$remedy"
  major=${found#v}
  major=${major%%.*}
  [ "$major" -ge "$needed_node" ] 2>/dev/null || fail "Node.js $needed_node or later is needed, but node is $found" "$remedy"
}

# Prints the folder to install into, which exists then.
make_folder() {
  if [ -n "$MACHINE_ID_PARAM_INSTALL_DIR" ]; then
    folder=$(expand "$MACHINE_ID_PARAM_INSTALL_DIR") || exit 1
    mkdir -p -- "$folder" || fail "the folder $folder cannot be made" 'Name another one with the parameter install_dir.'
  else
    folder=${HOME:-/dev/null}/.teleport-machine-id
    mkdir -p "$folder" 2>/dev/null || {
      folder=${TMPDIR:-/tmp}/teleport-machine-id-$(id -u)
      mkdir -p "$folder" || fail "neither the home directory nor $folder can be written to" \
        'Name a folder with the parameter install_dir.'
    }
  fi
  printf '%s' "$folder"
}

# URL: prints it without what may be secret.
without_secrets() {
  rest=${1#https://}
  host=${rest%%/*}
  path=${rest#"$host"}
  printf 'https://%s' "${host##*@}${path%%'?'*}"
}

# URL FILE: one attempt.
fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl --fail --location --proto '=https' --silent --show-error --connect-timeout 10 --max-time 300 --output "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    # GNU wget would try 20 times itself; busybox has no such option.
    case $(wget --help 2>&1) in *--tries*) once=--tries=1 ;; *) once= ;; esac
    wget -q -T 30 ${once:+"$once"} -O "$2" "$1"
  else
    node -e 'const [first, file] = process.argv.slice(1);
      const get = async (url, redirects) => {
        if (url.protocol !== "https:") throw new Error("protocol " + url.protocol + " is not https");
        const user = [url.username, url.password].map(decodeURIComponent).join(":");
        url.username = url.password = "";
        const headers = user === ":" ? {} : { authorization: "Basic " + Buffer.from(user).toString("base64") };
        const reply = await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(300000) });
        const next = reply.status >= 300 && reply.status < 400 && reply.headers.get("location");
        if (next && redirects > 0) return get(new URL(next, url), redirects - 1);
        if (!reply.ok) throw new Error("status " + reply.status);
        require("fs").writeFileSync(file, Buffer.from(await reply.arrayBuffer()));
      };
      Promise.resolve().then(() => get(new URL(first), 10)).catch((error) => {
        console.error((error.cause ?? error).message);
        process.exit(1);
      })' "$1" "$2"
  fi
}

# URL FILE
download() {
  shown=$(without_secrets "$1")
  case $1 in https://*) ;; *) fail "download_url must begin with https://, not $(printf '%.8s' "$1")" ;; esac
  attempt=1
  pause_s=1
  say "downloading $shown"
  until fetch "$1" "$2"; do
    [ "$attempt" -lt 5 ] || fail "$shown could not be downloaded in 5 attempts" \
      'Name a mirror with the parameter download_url, or a file on the executor with bundle_path.'
    say "attempt $attempt of 5 failed, the next one in $pause_s s"
    sleep "$pause_s"
    attempt=$((attempt + 1))
    pause_s=$((pause_s * 2))
  done
}

umask 077
require_node
folder=$(make_folder) || exit 1
require_private "$folder"
script=$folder/machine-id.cjs

if [ -f "$script" ] && [ "$(digest_of "$script")" = "$sha256" ]; then
  say "version $version is installed already: $script"
  exit 0
fi

new=$folder/.machine-id.$$
trap 'rm -f "$new"' EXIT
trap 'exit 1' HUP INT TERM
if [ -n "$MACHINE_ID_PARAM_BUNDLE_PATH" ]; then
  origin=$(expand "$MACHINE_ID_PARAM_BUNDLE_PATH") || exit 1
  cp -- "$origin" "$new" || fail "$origin cannot be read" 'The parameter bundle_path names a machine-id.cjs on the executor.'
else
  url=$(expand "$MACHINE_ID_PARAM_DOWNLOAD_URL") || exit 1
  origin=$(without_secrets "$url")
  download "$url" "$new"
fi
verify "$new" "$origin"
mv -f "$new" "$script"
say "version $version installed: $script (SHA-256 $sha256)"
