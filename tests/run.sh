#!/bin/sh
# The one command: sets up, builds and runs every test. See --help.
set -u
cd "$(dirname "$0")/.." || exit 1

usage() {
  cat <<'T'
usage: sh tests/run.sh [--build-only | --all]

Installs what is missing, builds into build/ (programs in build/bin) and runs every test. The last line says
`N passed, N failed`, where `, N skipped` may follow; the exit status is 0 when nothing failed.

  --build-only  stops after building
  --all         also the heavy tests, a thousand broken checkpoints for vq-import, and each fuzz target for a
                minute, as many at once as there are processors

JOBS=N sets how many compilers run at once; by default the processors, or fewer where memory is short.
T
}

all= build_only=
for arg in "$@"; do
  case $arg in
    --all) all=--all ;;
    --build-only) build_only=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests: $arg: unknown option; try --help" >&2; exit 2 ;;
  esac
done

passed=0 failed=0 skipped=0 began=$(date +%s)

say() { echo "tests: $*"; }

# Seconds since the last call.
lap() {
  now=$(date +%s)
  seconds=$((now - began))
  began=$now
}

finish() {
  if [ $skipped != 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
  else
    echo "$passed passed, $failed failed"
  fi
  [ $failed = 0 ]
  exit
}

give_up() {
  say "$*"
  failed=$((failed + 1))
  finish
}

sh tests/setup.sh $all </dev/null || give_up "set-up failed"
lap
say "set-up took $seconds s"

# ---- build

# A compiler that reads ATen takes 1.2 GB; one that waits for memory helps nobody.
cpus=$(nproc 2>/dev/null || echo 1)
jobs=$(awk -v cpus="$cpus" '/^MemAvailable:/ { n = int($2 / 1572864) } END {
  if (n > cpus) n = cpus; if (n < 1) n = 1; print n }' /proc/meminfo)
jobs=${JOBS:-$jobs}

# build PRESET FOLDER TARGET...: configures and builds.
build() {
  preset=$1 folder=$2
  shift 2
  generator=
  if [ ! -e "$folder/CMakeCache.txt" ] && [ -z "${CMAKE_GENERATOR-}" ] && command -v ninja >/dev/null; then
    generator='-G Ninja'
  fi
  mkdir -p "$folder" &&
    { cmake --preset "$preset" $generator >"$folder/configure.log" 2>&1 </dev/null ||
      { cat "$folder/configure.log"; false; }; } &&
    cmake --build "$folder" -j "$jobs" "$@" </dev/null
}

build release build || give_up "the build failed"
lap
say "build took $seconds s with $jobs jobs"
if [ -n "$build_only" ]; then exit 0; fi

# ---- tests

# Adds the counts of a line `N passed, N failed[, N skipped]`, the last one of a file. False if it has none.
add() {
  line=$(sed -n '/^[0-9]* passed, [0-9]* failed/h; ${x; s/[^0-9]\{1,\}/ /g; p; }' "$1")
  [ -n "$line" ] || return 1
  set -- $line
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
}

# Runs one of the shell suites, which prints such a line: suite NAME COMMAND...
suite() {
  name=$1
  shift
  "$@" >build/$name.log 2>&1 </dev/null
  status=$?
  before=$failed
  grep -v '^[0-9]* passed, [0-9]* failed' build/$name.log
  if ! add build/$name.log || { [ $status != 0 ] && [ $failed = "$before" ]; }; then
    failed=$((failed + 1))
    say "$name: ended with status $status and no count"
  fi
  lap
  say "$name took $seconds s"
}

# The GoogleTest programs of a build folder, counted by case. A program that ends without its report (it
# crashed, it timed out, it is no GoogleTest) counts as one.
unit() {
  name=$1 folder=$2
  shift 2
  reports=$PWD/$folder/reports
  rm -rf "$reports" && mkdir -p "$reports"
  GTEST_OUTPUT=xml:$reports/ ctest --test-dir "$folder" --output-on-failure -j "$jobs" "$@" \
    >build/$name.log 2>&1 </dev/null
  grep -v -e '^ *Start ' -e '^$' -e '   Passed  ' -e '^Internal ctest' build/$name.log
  awk -v log_file=build/$name.log '
    /<testsuites / { programs++; n = number("tests"); bad = number("failures") + number("errors")
                     cases += n; failed += bad; if (bad) bad_programs++ }
    /<testcase .*result="skipped"/ { skipped++ }
    function number(key) { if (!match($0, " " key "=\"[0-9]+")) return 0
                           return substr($0, RSTART + length(key) + 3, RLENGTH) + 0 }
    END {
      while ((getline line < log_file) > 0)
        if (match(line, /[0-9]+ tests failed out of [0-9]+/)) {
          split(substr(line, RSTART, RLENGTH), word, " "); entries = word[6]; bad_entries = word[1]
        }
      if (entries == 0) { print "0 passed, 1 failed"; exit }
      other_bad = bad_entries - bad_programs; if (other_bad < 0) other_bad = 0
      other = entries - programs; if (other < other_bad) other = other_bad
      printf "%d passed, %d failed, %d skipped\n", cases - failed - skipped + other - other_bad,
             failed + other_bad, skipped
    }' /dev/null "$reports"/*.xml >build/$name.count 2>&1
  add build/$name.count || failed=$((failed + 1))
  lap
  say "$name: $(cat build/$name.count), $seconds s"
}

heavy='-LE heavy'
if [ -n "$all" ]; then heavy=; fi
export VQ_BIN="$PWD/build/bin"
# Programs run beside each other: one thread each, and threads that wait sleep.
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1
unit unit build $heavy
if [ -e tests/cli/run.sh ]; then suite cli sh tests/cli/run.sh; fi
suite repo sh tests/repo/run.sh
if build asan-ubsan build-asan >build/asan-build.log 2>&1; then
  lap
  say "sanitizer build took $seconds s"
  unit asan-ubsan build-asan $heavy
else
  tail -n 40 build/asan-build.log
  say "the asan-ubsan build failed"
  failed=$((failed + 1))
fi

if [ -n "$all" ]; then
  # A thousand broken checkpoints in place of a few.
  suite hostile env VQ_HOSTILE=1000 VQ_CLI_TIMEOUT=3600 sh tests/cli/run.sh build/bin import/hostile
  if build fuzz build-fuzz >build/fuzz-build.log 2>&1; then
    lap
    say "fuzz build took $seconds s"
    suite fuzz sh tests/fuzz/run.sh --jobs "$jobs" --seconds 60 build-fuzz
  else
    tail -n 40 build/fuzz-build.log
    say "the fuzz build failed"
    failed=$((failed + 1))
  fi
fi

finish
