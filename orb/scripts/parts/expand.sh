# TEXT: prints it with $NAME, ${NAME} and a leading ~/ replaced; nothing in it is ever run.
expand() (
  rest=$1
  text=
  case $rest in \~/*) rest="\${HOME}${rest#?}" ;; esac
  while [ "$rest" != "${rest#*\$}" ]; do
    text=$text${rest%%\$*}
    rest=${rest#*\$}
    case $rest in
      '{'*'}'*)
        rest=${rest#'{'}
        name=${rest%%'}'*}
        rest=${rest#*'}'}
        ;;
      [A-Za-z_]*)
        name=${rest%%[!A-Za-z0-9_]*}
        rest=${rest#"$name"}
        ;;
      *)
        text="$text\$"
        continue
        ;;
    esac
    case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) fail "\"$1\" holds \${$name}, which is no variable's name" ;; esac
    text=$text$(printenv "$name") || fail "\"$1\" holds \$$name, but the job has no variable of that name"
  done
  printf '%s' "$text$rest"
)
