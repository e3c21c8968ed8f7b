#!/bin/sh
# Puts machine-id.cjs into a private folder, after verifying that it is the one of this version of the orb.
. parts/shell.sh

mi_version='__VERSION__'
mi_sha256='__BUNDLE_SHA256__'

. parts/say.sh
. parts/expand.sh
. parts/node-options.sh
. parts/folder.sh
. parts/make-folder.sh
. parts/digest.sh
. parts/download.sh

# URL FILE: downloads with Node.js, without curl and wget.
fetch_without_either() {
  "$mi_node" -e 'const [first, file] = process.argv.slice(1);
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

# FILE: assembles the script from the variables that contain it in the embedded orb: brotli in base85, whose digits are the
# printable characters without those that YAML, JSON, a shell, CircleCI or our placeholders read.
unpack() {
  "$mi_node" -e 'let text = "";
    for (let n = 1, part; (part = process.env["MACHINE_ID_BUNDLE_" + n]); n += 1) text += part;
    const digits = Buffer.from(text);
    const digit = (code = 126) => code - 33 - [34, 35, 36, 39, 58, 60, 92, 95, 96].filter((other) => other < code).length;
    const packed = Buffer.alloc(digits.length + 4);
    for (let at = 0; at < digits.length; at += 5) {
      const value = [0, 1, 2, 3, 4].reduce((sum, next) => sum * 85 + digit(digits[at + next]), 0);
      packed.writeUInt32BE(value, (at * 4) / 5);
    }
    const bytes = require("zlib").brotliDecompressSync(packed.subarray(0, (digits.length * 4) / 5));
    require("fs").writeFileSync(process.argv[1], bytes)' "$1" 2>/dev/null ||
    fail 'the script embedded in the orb cannot be unpacked' 'Set the parameter delivery to download.'
}

# FILE: decompresses it, to a few times the size of the script at most. A server may have done that already; the digest decides.
decompress() {
  gzip -dc <"$1" 2>/dev/null | head -c 8000000 >"$1.js" || :
  [ ! -s "$1.js" ] || mv -f "$1.js" "$1"
}

make_folder
mi_script=$mi_folder/machine-id.cjs
mi_node=
IFS= read -r mi_node <"$mi_folder/node-path" || :

if [ -f "$mi_script" ] && [ "$(digest_of "$mi_script")" = "$mi_sha256" ]; then
  say "version $mi_version is already installed: $mi_script"
  exit 0
fi

mi_new=$mi_folder/.machine-id.$$
trap 'rm -f "$mi_new" "$mi_new.js"' EXIT
trap 'exit 1' HUP INT TERM
if [ -n "${MACHINE_ID_PARAM_BUNDLE_PATH-}" ]; then
  mi_origin=$(expand "$MACHINE_ID_PARAM_BUNDLE_PATH") || exit 1
  cp -- "$mi_origin" "$mi_new" ||
    fail "$mi_origin cannot be read" 'Set the parameter bundle_path to the path of a machine-id.cjs on the executor.'
elif [ -n "${MACHINE_ID_BUNDLE_1-}" ]; then
  mi_origin='the script embedded in the orb'
  unpack "$mi_new"
else
  mi_url=$(expand "${MACHINE_ID_PARAM_DOWNLOAD_URL-}") || exit 1
  # The release has both.
  command -v gzip >/dev/null || mi_url=${mi_url%.gz}
  mi_origin=$(without_secrets "$mi_url")
  download "$mi_url" "$mi_new" download_url \
    'Set download_url to a mirror, or bundle_path to a file on the executor, or use the script in the orb (delivery: embedded).'
  case ${mi_url%%'?'*} in *.gz) decompress "$mi_new" ;; esac
fi
verify "$mi_new" "$mi_sha256" "$mi_origin" \
  "Use the machine-id.cjs of release $mi_version, or another version of the orb."
mv -f "$mi_new" "$mi_script"
say "version $mi_version installed: $mi_script (SHA-256 $mi_sha256)"
