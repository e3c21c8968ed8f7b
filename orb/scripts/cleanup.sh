#!/bin/sh
# Lets the installed machine-id.cjs remove what it wrote in this job, after proving its bytes once more.
set -eu

version='__VERSION__'
sha256='__BUNDLE_SHA256__'

. parts/say.sh
. parts/expand.sh
. parts/digest.sh
. parts/private.sh
. parts/installed.sh

# This step runs after any other has failed, install among them.
if [ ! -f "$script" ]; then
  say "machine-id.cjs is not in $folder, so there is nothing that it could have written"
  exit 0
fi

. parts/proven.sh

exec "$node" "$script" cleanup
