make_quietly() { mkdir -p "$1" 2>/dev/null; }

# Creates the folder and sets $mi_folder. Other users must not be able to write to it, as they could replace the script
# after it was verified.
make_folder() {
  mi_folder=$(find_folder make_quietly) || exit 1
  mkdir -p -- "$mi_folder" || fail "the folder $mi_folder cannot be created" 'Set the parameter install_dir to another folder.'
  [ -O "$mi_folder" ] || fail "$mi_folder belongs to another user" \
    'Remove it, or set the parameter install_dir to another folder.'
  case $(ls -ld "$mi_folder/.") in
    ?????w* | ????????w*) fail "other users may write to $mi_folder" \
      'Remove it, or set the parameter install_dir to another folder.' ;;
  esac
}
