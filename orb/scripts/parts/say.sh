say() { printf 'machine-id: %s\n' "$1" >&2; }

# MESSAGE [HINT]
fail() {
  say "$1"
  if [ -n "${2-}" ]; then say "$2"; fi
  exit 1
}
