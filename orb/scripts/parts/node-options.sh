# Keeps only those of the job's NODE_OPTIONS that concern TLS, DNS and memory. A preloaded module could read the token, and
# may exist only in the job's folder.
keep_node_options() {
  mi_kept=
  mi_option=
  for mi_word in ${NODE_OPTIONS-}; do
    case $mi_option$mi_word in
      *[\"\\]* | *=-*) mi_option= ;;
      --use-openssl-ca | --use-bundled-ca | --use-system-ca | --openssl-legacy-provider | --openssl-shared-config | \
        --enable-fips | --force-fips | --tls-m[ai][nx]-v1.? | --tls-cipher-list=* | --openssl-config=* | --secure-heap*=* | \
        --max*[-_]size*=* | --dns-result-order=* | \
        --network-family-autoselection | --no-network-family-autoselection | --network-family-autoselection-attempt-timeout=*)
        mi_kept="$mi_kept $mi_option$mi_word"
        mi_option=
        ;;
      --tls-cipher-list | --openssl-config | --secure-heap | --secure-heap-min | --max-http-header-size | --dns-result-order | \
        --network-family-autoselection-attempt-timeout)
        # Its value can be a separate word.
        mi_option=$mi_word=
        ;;
      *) mi_option= ;;
    esac
  done
  NODE_OPTIONS=${mi_kept# }
  export NODE_OPTIONS
  unset NODE_DEBUG NODE_DEBUG_NATIVE NODE_V8_COVERAGE
}
keep_node_options
