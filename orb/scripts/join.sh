#!/bin/sh
# Runs the installed machine-id.cjs with the parameters of this step, after proving its bytes once more.
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
destination=$(expand "$MACHINE_ID_PARAM_DESTINATION") || exit 1
kubernetes_cluster=$(expand "$MACHINE_ID_PARAM_KUBERNETES_CLUSTER") || exit 1
database=$(expand "$MACHINE_ID_PARAM_DATABASE") || exit 1
database_user=$(expand "$MACHINE_ID_PARAM_DATABASE_USER") || exit 1
database_name=$(expand "$MACHINE_ID_PARAM_DATABASE_NAME") || exit 1
application=$(expand "$MACHINE_ID_PARAM_APPLICATION") || exit 1
ca_file=$(expand "$MACHINE_ID_PARAM_CA_FILE") || exit 1
report=$(expand "$MACHINE_ID_PARAM_REPORT") || exit 1

# The default file may be missing when parameters stand in for it; a file that was named may not.
if [ "$config" = tbot.yaml ] && [ ! -e tbot.yaml ] && [ -n "$proxy$token$destination" ]; then config=; fi

# --flag=value, since a value may begin with a dash.
set -- run
if [ -n "$config" ]; then set -- "$@" "--config=$config"; fi
if [ -n "$proxy" ]; then set -- "$@" "--proxy-server=$proxy"; fi
if [ -n "$token" ]; then set -- "$@" "--token=$token"; fi
if [ -n "$destination" ]; then set -- "$@" "--destination=$destination"; fi
if [ -n "$kubernetes_cluster" ]; then set -- "$@" "--kubernetes-cluster=$kubernetes_cluster"; fi
if [ -n "$database" ]; then set -- "$@" "--database=$database"; fi
if [ -n "$database_user" ]; then set -- "$@" "--database-user=$database_user"; fi
if [ -n "$database_name" ]; then set -- "$@" "--database-name=$database_name"; fi
if [ -n "$application" ]; then set -- "$@" "--application=$application"; fi
if [ -n "$ca_file" ]; then set -- "$@" "--ca-file=$ca_file"; fi
if [ -n "$report" ]; then set -- "$@" "--report=$report"; fi
if [ "$MACHINE_ID_PARAM_DEADLINE" != 60 ]; then set -- "$@" "--deadline=$MACHINE_ID_PARAM_DEADLINE"; fi
if [ "$MACHINE_ID_PARAM_ENGINE" != native ]; then set -- "$@" "--engine=$MACHINE_ID_PARAM_ENGINE"; fi
# A boolean parameter arrives as 1 or 0 in an environment, though some versions of the compiler write true or false.
case $MACHINE_ID_PARAM_ANONYMOUS_TELEMETRY in 1 | true) export TELEPORT_ANONYMOUS_TELEMETRY=1 ;; esac
case $MACHINE_ID_PARAM_SSH in 1 | true) set -- "$@" --ssh ;; esac
case $MACHINE_ID_PARAM_DEBUG in 1 | true) set -- "$@" --debug ;; esac
case $MACHINE_ID_PARAM_EXPORT_ENV in
  1 | true)
    [ -n "${BASH_VERSION:-}" ] || say "this shell is not bash: begin later steps with  . \"\$BASH_ENV\""
    ;;
  *) set -- "$@" --no-export ;;
esac

# The default needs no word: without it, the script knows where else to look.
if [ "$MACHINE_ID_PARAM_OIDC_TOKEN" != CIRCLE_OIDC_TOKEN ]; then
  CIRCLE_OIDC_TOKEN=$(printenv "$MACHINE_ID_PARAM_OIDC_TOKEN") ||
    fail "the parameter oidc_token names $MACHINE_ID_PARAM_OIDC_TOKEN, but the job has no variable of that name"
  export CIRCLE_OIDC_TOKEN
fi

exec "$node" "$script" "$@"
