#!/usr/bin/env bash
# Checks that the crates for others can be published: their manifests have what a registry asks for, they
# can be packed, and no source file includes a file from outside of its crate. Builds nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
complain() {
  echo "$1" >&2
  failed=1
}

# A crate is for others unless its manifest has `publish`.
manifests=$(grep -L '^publish' crates/*/Cargo.toml passes/Cargo.toml plugins/*/Cargo.toml)
for manifest in $manifests; do
  folder=$(dirname "$manifest")
  name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -1)
  for key in description keywords license repository readme; do
    grep -q "^$key" "$manifest" || complain "$manifest: \`$key\` is missing"
  done
  cargo package --list --locked --allow-dirty -p "$name" >/dev/null || complain "$name: cargo package --list failed"

  # The first string of the macro is the path, or with `concat!` its beginning.
  while IFS=: read -r file line text; do
    path=$(realpath -ms "$(dirname "$file")/$(sed 's/^[^"]*"\([^"]*\)".*/\1/' <<<"$text")")
    [[ $path == "$PWD/$folder/"* ]] || complain "$file:$line: includes a file from outside of $folder: $path"
  done < <(grep -rn --include='*.rs' 'include_\(str\|bytes\)!(.*"' "$folder" || true)
done

# Packs all of them together, each with its dependencies as they would be on the registry. `mirage-cli` is left
# out: its features `cuda` and `tch` name crates that are not published, so it is installed from a checkout.
cargo package --workspace --exclude mirage-cli --no-verify --locked --allow-dirty --offline --quiet 2>/dev/null ||
  complain "cargo package --workspace --exclude mirage-cli --no-verify failed: run it to see why"
exit $failed
