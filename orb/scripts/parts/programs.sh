# The oldest Node.js that the script runs on.
mi_needed=18

# PURPOSE PROGRAM…: fails with the list of all missing programs.
require_programs() {
  mi_for=$1
  mi_missing=
  shift
  for mi_program in "$@"; do
    command -v "$mi_program" >/dev/null 2>&1 || mi_missing="$mi_missing${mi_missing:+, }$mi_program"
  done
  [ -z "$mi_missing" ] || fail "the executor has no $mi_missing, needed to $mi_for" 'Add it to the image.'
}
