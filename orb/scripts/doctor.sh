#!/bin/sh
# Lets the installed machine-id.cjs look at all that run needs, after proving its bytes once more.
set -eu

version='__VERSION__'
sha256='__BUNDLE_SHA256__'

. parts/say.sh
. parts/expand.sh
. parts/digest.sh
. parts/private.sh
. parts/installed.sh
. parts/proven.sh

config=$(expand "$MACHINE_ID_PARAM_CONFIG") || exit 1
proxy=$(expand "$MACHINE_ID_PARAM_PROXY") || exit 1
token=$(expand "$MACHINE_ID_PARAM_TOKEN") || exit 1
ca_file=$(expand "$MACHINE_ID_PARAM_CA_FILE") || exit 1
junit=$(expand "$MACHINE_ID_PARAM_JUNIT") || exit 1

# The default file may be missing when parameters stand in for it; a file that was named may not.
if [ "$config" = tbot.yaml ] && [ ! -e tbot.yaml ] && [ -n "$proxy$token" ]; then config=; fi

set -- doctor
if [ -n "$config" ]; then set -- "$@" "--config=$config"; fi
if [ -n "$proxy" ]; then set -- "$@" "--proxy-server=$proxy"; fi
if [ -n "$token" ]; then set -- "$@" "--token=$token"; fi
if [ -n "$ca_file" ]; then set -- "$@" "--ca-file=$ca_file"; fi
if [ -n "$junit" ]; then set -- "$@" "--junit=$junit"; fi
if [ "$MACHINE_ID_PARAM_DEADLINE" != 10 ]; then set -- "$@" "--deadline=$MACHINE_ID_PARAM_DEADLINE"; fi
case $MACHINE_ID_PARAM_EGRESS in
  1 | true)
    set -- "$@" --egress
    url=$(expand "$MACHINE_ID_PARAM_DOWNLOAD_URL") || exit 1
    if [ -n "$url" ]; then set -- "$@" "--download-url=$url"; fi
    url=$(expand "$MACHINE_ID_PARAM_NODE_MIRROR") || exit 1
    if [ -n "$url" ]; then set -- "$@" "--node-mirror=$url"; fi
    url=$(expand "$MACHINE_ID_PARAM_CDN_BASE_URL") || exit 1
    if [ -n "$url" ]; then set -- "$@" "--cdn-base-url=$url"; fi
    ;;
esac
case $MACHINE_ID_PARAM_DEBUG in 1 | true) set -- "$@" --debug ;; esac

# A variable that is missing is one of the things to tell of, and no reason to look at nothing.
if [ "$MACHINE_ID_PARAM_OIDC_TOKEN" != CIRCLE_OIDC_TOKEN ]; then
  CIRCLE_OIDC_TOKEN=$(printenv "$MACHINE_ID_PARAM_OIDC_TOKEN") || CIRCLE_OIDC_TOKEN=
  export CIRCLE_OIDC_TOKEN
fi

MACHINE_ID_ORB_VERSION=$version
export MACHINE_ID_ORB_VERSION
exec "$node" "$script" "$@"
