# FILE: prints its SHA-256, computed by the first program that is available.
digest_of() (
  mi_digest=$({
    sha256sum <"$1" || shasum -a 256 <"$1" || openssl dgst -sha256 -r <"$1" ||
      "${mi_node:-node}" -e 'process.stdin.pipe(require("crypto").createHash("sha256").setEncoding("hex")).pipe(process.stdout)' <"$1"
  } 2>/dev/null) || mi_digest=
  printf '%s' "${mi_digest%% *}"
)

# FILE SHA256 ORIGIN HINT
verify() {
  mi_actual=$(digest_of "$1")
  [ -n "$mi_actual" ] || fail 'no program to compute a SHA-256 was found, so the file is refused' \
    'Install one of sha256sum (coreutils), shasum (perl) or openssl.'
  [ "$mi_actual" = "$2" ] || fail "$3 is refused: expected SHA-256 $2, got $mi_actual" "$4"
}
