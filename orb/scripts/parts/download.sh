# URL: prints it without user, password and query, which may be secret.
without_secrets() (
  mi_rest=${1#https://}
  mi_host=${mi_rest%%/*}
  mi_path=${mi_rest#"$mi_host"}
  printf 'https://%s' "${mi_host##*@}${mi_path%%'?'*}"
)

# URL FILE: one attempt. The script that includes this part defines fetch_without_either, for use without curl and wget.
fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl --fail --location --proto '=https' --silent --show-error --connect-timeout 10 --max-time 300 --output "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    # GNU wget would try 20 times; busybox wget has no such option.
    case $(wget --help 2>&1) in *--tries*) mi_once=--tries=1 ;; *) mi_once= ;; esac
    wget -q -T 30 ${mi_once:+"$mi_once"} -O "$2" "$1"
  else
    fetch_without_either "$1" "$2"
  fi
}

# URL FILE PARAMETER HINT
download() {
  mi_shown=$(without_secrets "$1")
  case $1 in https://*) ;; *) fail "$3 must begin with https://, not $(printf '%.8s' "$1")" ;; esac
  mi_attempt=1
  mi_pause_s=1
  say "downloading $mi_shown"
  until fetch "$1" "$2"; do
    [ "$mi_attempt" -lt 5 ] || fail "$mi_shown could not be downloaded in 5 attempts" "$4"
    say "attempt $mi_attempt of 5 failed; trying again in $mi_pause_s s"
    sleep "$mi_pause_s"
    mi_attempt=$((mi_attempt + 1))
    mi_pause_s=$((mi_pause_s * 2))
  done
}
