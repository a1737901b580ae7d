#!/bin/sh
# Puts the option tables of the programs into tools/vq-completion.bash.
#
#   tools/update-completion.sh [--check] [BINDIR [TOOL...]]
#
# Each program has a block `_vq_words[NAME]='...'` holding what --help=words prints; a program with verbs
# has one more for each of them. Programs that are not in BINDIR (default build/bin) keep their block.
# --check changes nothing and fails, with the difference, where file and program disagree.
set -u
here=$(cd "$(dirname "$0")" && pwd)
file=$here/vq-completion.bash
check=
if [ "${1-}" = --check ]; then check=yes; shift; fi
bin=${1:-$here/../build/bin}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(cd "$bin" && ls | grep -E '^vq-[a-z]+$')

old=$(mktemp) || exit 1
new=$(mktemp) || exit 1
trap 'rm -f "$old" "$new"' EXIT
cp "$file" "$old"

# put NAME WORDS: replaces NAME's block, or adds it, in alphabetical order, before the last line.
put() {
  awk -v name="$1" -v words="$2" '
    function block() { printf "_vq_words[%s]='\''\n%s\n'\''\n", name, words; done = 1 }
    /^_vq_words\[/ {
      key = $0; sub(/^_vq_words\[/, "", key); sub(/\].*/, "", key)
      if (!done && key >= name) block()
      if (key == name) skip = 1
    }
    /^# The functions/ && !done { block() }
    !skip { print }
    skip && $0 == "'\''" { skip = 0 }' "$old" >"$new" && cp "$new" "$old"
}

for tool in "$@"; do
  [ -x "$bin/$tool" ] || continue
  words=$("$bin/$tool" --help=words) || exit 1
  put "$tool" "$words"
  for verb in $(echo "$words" | awk -F '\t' '$3 == "verb" { print $1 }'); do
    put "$tool-$verb" "$("$bin/$tool" "$verb" --help=words)"
  done
done

if cmp -s "$old" "$file"; then exit 0; fi
if [ -n "$check" ]; then
  echo "tools/vq-completion.bash is not what $* say; run tools/update-completion.sh"
  diff -u "$file" "$old"
  exit 1
fi
cat "$old" >"$file"
echo "tools/vq-completion.bash: updated"
