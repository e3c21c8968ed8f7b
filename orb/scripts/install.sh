#!/bin/sh
# Puts machine-id.cjs into a private folder, but only the very bytes that this version of the orb was packed with.
set -eu

version='__VERSION__'
sha256='__BUNDLE_SHA256__'

. parts/say.sh
. parts/expand.sh
. parts/digest.sh
. parts/private.sh
. parts/make-folder.sh
. parts/download.sh

# URL FILE
fetch_without_either() {
  "$node" -e 'const [first, file] = process.argv.slice(1);
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
}

# FILE: puts the script together from the variables that the orb itself holds it in.
unpack() {
  "$node" -e 'const parts = [];
    for (let n = 1; process.env["MACHINE_ID_BUNDLE_" + n]; n += 1) parts.push(process.env["MACHINE_ID_BUNDLE_" + n]);
    const bytes = require("zlib").brotliDecompressSync(Buffer.from(parts.join(""), "base64"));
    require("fs").writeFileSync(process.argv[1], bytes)' "$1" 2>/dev/null ||
    fail 'the script in the orb itself cannot be unpacked' 'Give the parameter delivery the value download.'
}

umask 077
folder=$(make_folder) || exit 1
require_private "$folder"
script=$folder/machine-id.cjs
node=$(cat "$folder/node-path")

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
elif [ -n "${MACHINE_ID_BUNDLE_1:-}" ]; then
  origin='the script in the orb itself'
  unpack "$new"
else
  url=$(expand "$MACHINE_ID_PARAM_DOWNLOAD_URL") || exit 1
  origin=$(without_secrets "$url")
  download "$url" "$new" download_url \
    'Name a mirror with download_url, a file on the executor with bundle_path, or take the script from the orb with delivery: embedded.'
fi
verify "$new" "$sha256" "$origin" \
  "Only the machine-id.cjs of version $version is accepted; take the one of the release, or another version of the orb."
mv -f "$new" "$script"
say "version $version installed: $script (SHA-256 $sha256)"
