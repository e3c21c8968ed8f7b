[ -f "$script" ] || fail "machine-id.cjs is not in $folder" \
  'The install command of this orb must come first, with the same install_dir.'
require_private "$folder"
node=$(cat "$folder/node-path" 2>/dev/null) || node=
[ -x "$node" ] ||
  fail "the Node.js that install found is not there any more${node:+: $node}" 'Run the install command of this orb again.'
verify "$script" "$sha256" "$script" \
  "Only the machine-id.cjs of version $version is accepted; run the install command of this orb version again."
