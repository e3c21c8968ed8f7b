# Sets $script and $node as install left them; the bytes of the script are proven once more.
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
