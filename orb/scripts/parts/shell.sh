# The job's shell may trace commands, and may be zsh, which treats patterns and variables differently.
{ set +x; } 2>/dev/null
if [ -n "${ZSH_VERSION-}" ]; then emulate sh; fi
set -euf
umask 077
