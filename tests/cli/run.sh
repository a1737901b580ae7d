#!/bin/sh
# Runs the command-line tests: what a person at a shell sees of the programs.
#
#   tests/cli/run.sh [BINDIR [NAME...]]     BINDIR: where the programs are (default $VQ_BIN, build/bin)
#                                           NAME: only tests whose name contains it
#
# A test is FOLDER/X.sh, run by sh in a fresh folder of its own with the programs first in PATH.
#   X.stdout   what it must print, exactly            (no such file: nothing)
#   X.stderr   what it must print there, line by line, each line a shell pattern (none: nothing)
#   X.exit     the exit status it must end with       (none: 0)
# manners/X.sh runs once for every program found in BINDIR, whose name is in $TOOL.
# Exit status 77 skips the test, with what it printed as the reason.
#
# A test may use: $TESTS (the folder tests/), $FIXTURES (made once by fixtures.sh: small pictures and,
# where the programs for it are there, a codec, tokens and a model) and `. "$TESTS/cli/help.sh"`.
set -u
here=$(cd "$(dirname "$0")" && pwd)

# ---- one test: run.sh --one NAME TOOL, called by the loop below; TOOL is - for tests of no one tool

matches() {  # FILE PATTERNS: line by line
  while :; do
    more= wanted=
    IFS= read -r line <&3 && more=1
    IFS= read -r pattern <&4 && wanted=1
    [ "$more" = "$wanted" ] || return 1
    [ -n "$more" ] || return 0
    case $line in
      $pattern) ;;
      *) return 1 ;;
    esac
  done 3<"$1" 4<"$2"
}

one() {
  test=$here/$1
  tool=$2
  title=$1
  if [ "$tool" != - ]; then title="$1 ($tool)"; fi
  place=$(mktemp -d "$VQ_CLI_RESULTS/XXXXXX") || exit 1
  mkdir "$place/run"
  cd "$place/run" || exit 1
  TOOL=$tool timeout -k 5 "${VQ_CLI_TIMEOUT:-120}" sh "$test.sh" \
    >"$place/stdout" 2>"$place/stderr" </dev/null
  status=$?
  cd / || exit 1
  chmod -R u+w "$place/run"
  if [ $status = 77 ]; then
    echo "skipped $title: $(head -n 1 "$place/stdout")"
    rm -rf "$place"
    return
  fi
  wanted=0
  for kind in stdout stderr; do
    if [ -e "$test.$kind" ]; then cp "$test.$kind" "$place/$kind.wanted"; else : >"$place/$kind.wanted"; fi
  done
  if [ -e "$test.exit" ]; then wanted=$(cat "$test.exit"); fi
  trouble=
  if [ $status = 124 ]; then trouble="took longer than ${VQ_CLI_TIMEOUT:-120} s"
  elif [ $status != "$wanted" ]; then trouble="exit status $status, not $wanted"; fi
  if ! cmp -s "$place/stdout" "$place/stdout.wanted"; then trouble="$trouble${trouble:+, }stdout differs"; fi
  if ! matches "$place/stderr" "$place/stderr.wanted"; then trouble="$trouble${trouble:+, }stderr differs"; fi
  if [ -z "$trouble" ]; then
    echo "passed $title"
  else
    {
      echo "failed $title: $trouble"
      case $trouble in *stdout*) ;; *) head -n 20 "$place/stdout" ;; esac
      for kind in stdout stderr; do
        case $trouble in
          *$kind\ differs*) (cd "$place" && diff -au $kind.wanted $kind | head -n 40) ;;
        esac
      done
      case $trouble in *stderr*) ;; *) head -n 20 "$place/stderr" ;; esac
    } | sed '2,$s/^/    /'
  fi
  rm -rf "$place"
}

if [ "${1-}" = --one ]; then
  one "$2" "$3" >"$VQ_CLI_RESULTS/$(echo "$2-$3" | tr / -).result"
  exit 0
fi

# ---- all of them

bin=${1:-${VQ_BIN:-$here/../../build/bin}}
[ $# -gt 0 ] && shift
bin=$(cd "$bin" 2>/dev/null && pwd) || { echo "cli: there is no folder of programs to test" >&2; exit 2; }
tools=$(cd "$bin" && ls | grep -E '^vq-[a-z]+$')
if [ -z "$tools" ]; then
  echo "cli: $bin: no programs here" >&2
  exit 2
fi

VQ_CLI_RESULTS=$(mktemp -d) || exit 1
trap 'rm -rf "$VQ_CLI_RESULTS"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
TESTS=$(cd "$here/.." && pwd)
BIN=$bin
PATH=$bin:$PATH
FIXTURES=$VQ_CLI_RESULTS/fixtures
LC_ALL=C.UTF-8
export VQ_CLI_RESULTS TESTS BIN PATH FIXTURES LC_ALL
unset VQ_PATH

mkdir "$FIXTURES"
(cd "$FIXTURES" && sh "$here/fixtures.sh" >"$VQ_CLI_RESULTS/fixtures.log" 2>&1 </dev/null) || {
  echo "cli: fixtures.sh failed:"
  sed 's/^/    /' "$VQ_CLI_RESULTS/fixtures.log"
}

cd "$here" || exit 1
for test in */*.sh; do
  name=${test%.sh}
  wanted=$([ $# = 0 ] && echo yes)
  for filter in "$@"; do
    case $name in *"$filter"*) wanted=yes ;; esac
  done
  [ -n "$wanted" ] || continue
  case $name in
    manners/*) for tool in $tools; do echo "$name $tool"; done ;;
    *) echo "$name -" ;;
  esac
done >"$VQ_CLI_RESULTS/list"

xargs -P 2 -n 2 sh "$here/run.sh" --one <"$VQ_CLI_RESULTS/list"

passed=0 failed=0 skipped=0
while read -r name tool; do
  result=$VQ_CLI_RESULTS/$(echo "$name-$tool" | tr / -).result
  case $(head -c 7 "$result" 2>/dev/null) in
    "passed ") passed=$((passed + 1)) ;;
    skipped) skipped=$((skipped + 1)); sed 's/^/cli: /' "$result" ;;
    *)
      failed=$((failed + 1))
      if [ -s "$result" ]; then sed '1s/^/cli: /' "$result"; else echo "cli: failed $name ($tool): did not end"; fi
      ;;
  esac
done <"$VQ_CLI_RESULTS/list"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
