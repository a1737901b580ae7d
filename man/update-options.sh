#!/bin/sh
# Puts every program's own OPTIONS into its manual page.
#
#   man/update-options.sh [--check] [BINDIR [TOOL...]]
#
# A page has one or more blocks between two comments, and the first names the command that prints it:
#   .\" begin vq-decode --help=mdoc
#   .\" end
# Programs that are not in BINDIR (default build/bin) are left as they are. --check changes nothing and
# fails, with the difference, where page and program disagree.
set -u
here=$(cd "$(dirname "$0")" && pwd)
check=
if [ "${1-}" = --check ]; then check=yes; shift; fi
bin=${1:-$here/../build/bin}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(cd "$here" && ls vq-*.1 | sed 's/\.1$//')

fresh=$(mktemp) || exit 1
block=$(mktemp) || exit 1
trap 'rm -f "$fresh" "$block"' EXIT
status=0
for tool in "$@"; do
  page=$here/$tool.1
  if [ ! -x "$bin/$tool" ] || [ ! -e "$page" ]; then continue; fi
  : >"$fresh"
  inside=
  while IFS= read -r line; do
    case $line in
      '.\" begin '*)
        printf '%s\n' "$line" >>"$fresh"
        words=${line#'.\" begin '}
        if ! "$bin/$tool" ${words#"$tool"} >"$block"; then
          echo "man/$tool.1: '$words' fails" >&2
          exit 1
        fi
        cat "$block" >>"$fresh"
        inside=yes
        ;;
      '.\" end') printf '%s\n' "$line" >>"$fresh"; inside= ;;
      *) [ -n "$inside" ] || printf '%s\n' "$line" >>"$fresh" ;;
    esac
  done <"$page"
  if ! grep -q '^\.\\" begin ' "$page"; then
    echo "man/$tool.1: has no block to fill" >&2
    status=1
  elif ! cmp -s "$page" "$fresh"; then
    if [ -n "$check" ]; then
      echo "man/$tool.1 is not what $tool says; run man/update-options.sh"
      diff -u "$page" "$fresh"
      status=1
    else
      cat "$fresh" >"$page"
      echo "man/$tool.1: updated"
    fi
  fi
done
exit $status
