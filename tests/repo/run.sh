#!/bin/sh
# House rules: each is a search that must find nothing, and prints its reason where it finds something.
set -u
cd "$(dirname "$0")/../.." || exit 1

bin=${VQ_BIN:-build/bin}
results=$(mktemp) || exit 1
trap 'rm -f "$results"' EXIT

# rule REASON: passes when stdin is empty, else shows it. (At the end of a pipe, so it counts in a file.)
rule() {
  found=$(cat)
  if [ -z "$found" ]; then
    echo passed >>"$results"
  else
    echo failed >>"$results"
    echo "repo: $1"
    echo "$found" | head -n 20 | sed 's/^/repo:   /'
  fi
}

skip() {
  echo skipped >>"$results"
  echo "repo: skipped: $1"
}

# Every file that is ours: what lies in the fixed top level, without build folders.
ours() {
  find CMakeLists.txt CMakePresets.json README.md .ci .clang-format .gitignore \
    tools lib formats tests examples man -type f "$@" 2>/dev/null | sort
}

sources() { ours \( -name '*.cc' -o -name '*.h' \); }

# Lines of code that match, comments left out: code PATTERN FOLDER...
code() {
  pattern=$1
  shift
  grep -rnE --include='*.cc' --include='*.h' -e "$pattern" "$@" 2>/dev/null | grep -vE '^[^:]*:[0-9]+: *//'
}

code '#include *[<"](ATen|c10|torch|lib)/' formats tools/cli tools/vq-info.cc |
  rule "formats/, tools/cli/ and vq-info include no LibTorch: it costs a quarter of a second at every start"

code '#include *"tools/' formats lib | rule "the layers point one way: formats/ <- lib/ <- tools/"

code 'at::parallel_for\b' lib tools | grep -v '^lib/runtime/parallel.cc:' |
  rule "threads are had by lib/runtime/parallel.h: elsewhere at::parallel_for is a plain loop, as OpenMP is not compiled in"

if [ -x "$bin/vq-info" ]; then
  ldd "$bin/vq-info" | grep -E 'libtorch|libc10|libcuda|not found' | rule "vq-info runs without LibTorch"
else
  skip "vq-info is not built"
fi

code 'std::c(out|err|log)\b|\b(std::)?(f?printf|fputs|puts|perror)\(|fmt::print\(|\b(std::)?(_?exit|quick_exit|abort|terminate)\(' \
  lib formats | rule "a library neither prints nor ends the process: it throws vq::Error"

for header in $(ours -name '*.h'); do
  case $header in lib/* | formats/* | tools/cli/*) ;; *) continue ;; esac
  awk 'NR == 1 && !/^\/\/ [A-Za-z0-9]/ { exit bad = 1 }
       !/^\/\// { exit } /[.:?]/ { sentence = 1 } END { exit bad || !sentence }' "$header" || echo "$header"
done | rule "a header begins with a plain sentence that says what it is"

find formats lib tools -name '*.h' | xargs sed -nE 's/^(struct|class|enum class) ([A-Za-z]+)( final)?( :[^{;]*)? \{.*/\2/p' | sort | uniq -d |
  rule "a type's name is used once: two of one name are one to the linker, which takes either's functions"

for tool in tools/vq-*.cc; do
  [ -e "$tool" ] || continue
  name=$(basename "$tool" .cc)
  [ -e "man/$name.1" ] || echo "$tool"
done | rule "every program has its page, man/NAME.1"

for source in $(ours -name '*.cc'); do
  case $source in lib/* | formats/*) ;; *) continue ;; esac
  [ -e "tests/unit/$(basename "$source" .cc)_test.cc" ] ||
    grep -q "^$source  *[A-Za-z]" tests/repo/untested.txt || echo "$source"
done | rule "every source file has tests/unit/NAME_test.cc, or a line with the reason in tests/repo/untested.txt"

for source in $(ours -name '*.cc'); do
  case $source in
    lib/* | formats/* | tools/cli/*) list=${source%%/*}/CMakeLists.txt name=${source#*/} ;;
    tools/vq-*) list=tools/CMakeLists.txt name="vq_tool($(basename "$source" .cc)" ;;
    tools/*) list=tools/CMakeLists.txt name=${source#*/} ;;
    tests/unit/*) list=tests/unit/CMakeLists.txt name=$(basename "$source") ;;
    *) continue ;;
  esac
  grep -qF "$name" $list || echo "$source"
done | rule "every source file is listed in its CMakeLists.txt"

ours \( -name '*.cc' -o -name '*.h' -o -name '*.cmake' -o -name '*.sh' -o -name CMakeLists.txt \) |
  while read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || echo "$file: $lines lines"
  done | rule "a file longer than 600 lines is two files"

sources | xargs awk 'length($0) > 100 && !/https?:/ { print FILENAME ":" FNR }' |
  rule "lines have at most 100 columns"

ours \( -name '*.cc' -o -name '*.h' -o -name '*.cmake' -o -name '*.sh' -o -name '*.md' -o -name '*.txt' \
  -o -name '*.json' -o -name '*.[1-8]' \) | xargs grep -nE '(^|[^A-Za-z0-9_.$}*])/(home|root|work|mnt|data|Users)/[A-Za-z]' |
  rule "no absolute paths of somebody's machine"

if command -v groff >/dev/null; then
  for page in man/*.[1-8]; do
    [ -e "$page" ] || continue
    groff -mdoc -ww -z -Tutf8 "$page" 2>&1
  done | rule "manual pages are clean mdoc"
else
  skip "no groff to read the manual pages with"
fi

for script in examples/*.sh; do
  sh "$script" --help </dev/null 2>&1 | head -n 1 | grep -q '^usage: ' || echo "$script: --help does not begin with 'usage: '"
  sh "$script" --no-such-option </dev/null >/dev/null 2>&1
  [ $? = 2 ] || echo "$script: an unknown option does not end with status 2"
done | rule "examples answer --help, and refuse what they do not know before they do anything"

# check SCRIPT WHAT: a generated part of the tree is what the programs print today.
check() {
  if [ -x "$bin/vq-info" ] && [ -e "$1" ]; then
    sh "$1" --check "$bin" 2>&1 | rule "$2"
  else
    skip "$2: nothing to check it with"
  fi
}
check man/update-options.sh "the OPTIONS of the manual pages come from the programs: run man/update-options.sh"
check tools/update-completion.sh "completion comes from the programs: run tools/update-completion.sh"

awk '{ n[$1]++ } END { printf "%d passed, %d failed, %d skipped\n", n["passed"], n["failed"], n["skipped"]
                       exit n["failed"] > 0 }' "$results"
