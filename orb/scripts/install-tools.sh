#!/bin/sh
# Lets the installed machine-id.cjs install the programs of Teleport's that the step before has decided on.
set -eu

version='__VERSION__'
sha256='__BUNDLE_SHA256__'

. parts/say.sh
. parts/expand.sh
. parts/digest.sh
. parts/private.sh
. parts/installed.sh
. parts/proven.sh

tools_dir=$(expand "$MACHINE_ID_PARAM_TOOLS_DIR") || exit 1
ca_file=$(expand "$MACHINE_ID_PARAM_CA_FILE") || exit 1

set -- install-tools "--plan=$tools_dir.json"
if [ "$MACHINE_ID_PARAM_DEADLINE" != 60 ]; then set -- "$@" "--deadline=$MACHINE_ID_PARAM_DEADLINE"; fi
if [ -n "$ca_file" ]; then set -- "$@" "--ca-file=$ca_file"; fi
[ -n "${BASH_VERSION:-}" ] || say "this shell is not bash: begin later steps with  . \"\$BASH_ENV\""

exec "$node" "$script" "$@"
