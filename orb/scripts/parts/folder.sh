# PREDICATE: prints the folder of the script: install_dir if given; else the one in the home directory if PREDICATE accepts
# it; else the one in the temporary directory.
find_folder() {
  if [ -n "${MACHINE_ID_PARAM_INSTALL_DIR-}" ]; then
    expand "$MACHINE_ID_PARAM_INSTALL_DIR"
    return
  fi
  mi_home=${HOME:-/dev/null}/.teleport-machine-id
  if "$1" "$mi_home"; then
    printf '%s' "$mi_home"
  else
    mi_user=$(id -u 2>/dev/null) || mi_user=user
    printf '%s' "${TMPDIR:-/tmp}/teleport-machine-id-$mi_user"
  fi
}
