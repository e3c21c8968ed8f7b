# FOLDER: others who may write there could swap the script after the check.
require_private() {
  [ -n "$(find "$1/." -prune -user "$(id -u)" ! -perm -020 ! -perm -002)" ] ||
    fail "$1 belongs to another user, or others may write to it" \
      'Remove it, or name a folder of your own with the parameter install_dir.'
}
