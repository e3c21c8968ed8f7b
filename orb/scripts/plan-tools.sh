#!/bin/sh
# Lets the installed machine-id.cjs decide which programs of Teleport's to install, as the key of a cache.
set -eu

version='__VERSION__'
sha256='__BUNDLE_SHA256__'

. parts/say.sh
. parts/expand.sh
. parts/digest.sh
. parts/private.sh
. parts/installed.sh
. parts/proven.sh

tools=$(expand "$MACHINE_ID_PARAM_TOOLS") || exit 1
tools_version=$(expand "$MACHINE_ID_PARAM_VERSION") || exit 1
proxy=$(expand "$MACHINE_ID_PARAM_PROXY") || exit 1
cdn_base_url=$(expand "$MACHINE_ID_PARAM_CDN_BASE_URL") || exit 1
tools_sha256=$(expand "$MACHINE_ID_PARAM_SHA256") || exit 1
tools_dir=$(expand "$MACHINE_ID_PARAM_TOOLS_DIR") || exit 1
ca_file=$(expand "$MACHINE_ID_PARAM_CA_FILE") || exit 1

# The steps of the cache take the folder as it stands in the config.
case $MACHINE_ID_PARAM_CACHE-$MACHINE_ID_PARAM_TOOLS_DIR in
  [1t]*[$]* | [1t]*/) fail "no cache can be kept of \"$MACHINE_ID_PARAM_TOOLS_DIR\"" \
    'Give tools_dir without variables and without a slash at its end, or cache: false.' ;;
esac

set -- install-tools "--write-plan=$tools_dir.json" "--dir=$tools_dir" "--tools=$tools" "--version=$tools_version" \
  "--edition=$MACHINE_ID_PARAM_EDITION" "--fips=$MACHINE_ID_PARAM_FIPS"
if [ "$MACHINE_ID_PARAM_DEADLINE" != 60 ]; then set -- "$@" "--deadline=$MACHINE_ID_PARAM_DEADLINE"; fi
if [ -n "$proxy" ]; then set -- "$@" "--proxy-server=$proxy"; fi
if [ -n "$cdn_base_url" ]; then set -- "$@" "--cdn-base-url=$cdn_base_url"; fi
if [ -n "$tools_sha256" ]; then set -- "$@" "--sha256=$tools_sha256"; fi
if [ -n "$ca_file" ]; then set -- "$@" "--ca-file=$ca_file"; fi

exec "$node" "$script" "$@"
