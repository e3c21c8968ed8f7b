# TEXT: prints it with $NAME, ${NAME} and a leading ~/ replaced. Nothing in it is executed.
expand() (
  mi_rest=$1
  mi_text=
  mi_value=
  mi_there=
  case $mi_rest in \~/*) mi_rest="\${HOME}${mi_rest#?}" ;; esac
  while [ "$mi_rest" != "${mi_rest#*\$}" ]; do
    mi_text=$mi_text${mi_rest%%\$*}
    mi_rest=${mi_rest#*\$}
    case $mi_rest in
      '{'*'}'*)
        mi_rest=${mi_rest#'{'}
        mi_name=${mi_rest%%'}'*}
        mi_rest=${mi_rest#*'}'}
        ;;
      [A-Za-z_]*)
        mi_name=${mi_rest%%[!A-Za-z0-9_]*}
        mi_rest=${mi_rest#"$mi_name"}
        ;;
      *)
        mi_text="$mi_text\$"
        continue
        ;;
    esac
    case $mi_name in '' | [0-9]* | *[!A-Za-z0-9_]*) fail "\"$1\" contains \${$mi_name}, which is not the name of a variable" ;; esac
    # Safe: the line above made sure that this is only a name.
    eval "mi_value=\${$mi_name-} mi_there=\${$mi_name+yes}"
    [ -n "$mi_there" ] || fail "\"$1\" contains \$$mi_name, but the job has no variable of that name"
    mi_text=$mi_text$mi_value
  done
  printf '%s' "$mi_text$mi_rest"
)
