# A job's shell may trace what it runs, and may be zsh, which reads patterns and variables in its own way.
{ set +x; } 2>/dev/null
if [ -n "${ZSH_VERSION-}" ]; then emulate sh; fi
set -euf
umask 077
