make_quietly() { mkdir -p "$1" 2>/dev/null; }

# Sets $mi_folder, which exists then. Others who may write there could swap the script after the check.
make_folder() {
  mi_folder=$(find_folder make_quietly) || exit 1
  mkdir -p -- "$mi_folder" || fail "the folder $mi_folder cannot be made" 'Name another one with the parameter install_dir.'
  [ -O "$mi_folder" ] || fail "$mi_folder belongs to another user" \
    'Remove it, or name a folder of your own with the parameter install_dir.'
  case $(ls -ld "$mi_folder/.") in
    ?????w* | ????????w*) fail "others may write to $mi_folder" \
      'Remove it, or name a folder of your own with the parameter install_dir.' ;;
  esac
}
