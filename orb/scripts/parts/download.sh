# URL: prints it without what may be secret.
without_secrets() {
  rest=${1#https://}
  host=${rest%%/*}
  path=${rest#"$host"}
  printf 'https://%s' "${host##*@}${path%%'?'*}"
}

# URL FILE: one attempt. A script that reads this part in says what is done where there is neither curl nor wget.
fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl --fail --location --proto '=https' --silent --show-error --connect-timeout 10 --max-time 300 --output "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    # GNU wget would try 20 times itself; busybox has no such option.
    case $(wget --help 2>&1) in *--tries*) once=--tries=1 ;; *) once= ;; esac
    wget -q -T 30 ${once:+"$once"} -O "$2" "$1"
  else
    fetch_without_either "$1" "$2"
  fi
}

# URL FILE PARAMETER HINT
download() {
  shown=$(without_secrets "$1")
  case $1 in https://*) ;; *) fail "$3 must begin with https://, not $(printf '%.8s' "$1")" ;; esac
  attempt=1
  pause_s=1
  say "downloading $shown"
  until fetch "$1" "$2"; do
    [ "$attempt" -lt 5 ] || fail "$shown could not be downloaded in 5 attempts" "$4"
    say "attempt $attempt of 5 failed, the next one in $pause_s s"
    sleep "$pause_s"
    attempt=$((attempt + 1))
    pause_s=$((pause_s * 2))
  done
}
