#!/bin/sh
# Runs the fuzz targets, several beside each other. See --help.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1

usage() {
  cat <<'T'
usage: sh tests/fuzz/run.sh [OPTION]... [BUILD [NAME...]]

Runs the fuzz targets of a build tree (build-fuzz; `cmake --preset fuzz && cmake --build build-fuzz`), or those named, and
prints how many found nothing. What they find lies in BUILD/found/, what they learnt in BUILD/corpus/NAME/; they begin
with tests/fuzz/seeds/NAME/.

  --seconds N   each target, N seconds (10)
  --runs N      each target, N inputs instead
  --jobs N      targets at once; by default the processors
T
}

limit=-max_total_time=10 jobs=$(nproc 2>/dev/null || echo 1)
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --seconds | --runs | --jobs)
      case ${2-} in '' | *[!0-9]*) echo "fuzz: $1 needs a number" >&2; exit 2 ;; esac
      case $1 in
        --seconds) limit=-max_total_time=$2 ;;
        --runs) limit=-runs=$2 ;;
        --jobs) jobs=$2 ;;
      esac
      shift 2 ;;
    -*) echo "fuzz: $1: no such option; try --help" >&2; exit 2 ;;
    *) break ;;
  esac
done
build=$(cd "${1:-build-fuzz}" 2>/dev/null && pwd) || { echo "fuzz: no build tree ${1:-build-fuzz}" >&2; exit 1; }
if [ $# -gt 0 ]; then shift; fi
if [ $# = 0 ]; then
  for target in "$build"/fuzz/*_fuzz; do
    if [ -x "$target" ]; then set -- "$@" "$(basename "$target")"; fi
  done
fi
mkdir -p "$build/found" "$build/log"

# A target may take no more than a piece of memory at once that its format's limits allow: an eighth of the tokens'
# whole limit is 4 MiB above the largest frame; a picture has at most 192 MiB of pixels.
cat >"$build/one-target.sh" <<'T'
name=$1 build=$2 limit=$3 seeds=$4
corpus=$build/corpus/$name
mkdir -p "$corpus"
maker=$build/fuzz/make_${name%_fuzz}_seeds
if [ -x "$maker" ]; then "$maker" "$corpus"; fi
if [ ! -d "$seeds/$name" ]; then set -- "$corpus"; else set -- "$corpus" "$seeds/$name"; fi
case $name in token_*) pieces=16 ;; *) pieces=256 ;; esac
if "$build/fuzz/$name" "$limit" -malloc_limit_mb=$pieces -timeout=30 -print_final_stats=1 \
  -artifact_prefix="$build/found/$name-" "$@" >"$build/log/$name.log" 2>&1 </dev/null; then
  echo "passed $name, $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/log/$name.log") inputs"
else
  echo "failed $name"
  tail -n 20 "$build/log/$name.log" | sed "s/^/  /"
fi
T
printf '%s\n' "$@" | xargs -P "$jobs" -I NAME sh "$build/one-target.sh" NAME "$build" "$limit" "$here/seeds" |
  tee "$build/log/results.$$"
awk '$1 == "passed" { good++ } $1 == "failed" { bad++ }
     END { printf "%d passed, %d failed\n", good, bad; exit bad > 0 }' "$build/log/results.$$"
status=$?
rm -f "$build/log/results.$$"
exit $status
