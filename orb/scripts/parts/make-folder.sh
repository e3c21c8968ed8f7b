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
