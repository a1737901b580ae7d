# --help and -h: a page on standard output, status 0, nothing else; it fits 80 columns.
. "$TESTS/cli/help.sh"
check() {
  expect 0 "$@"
  [ ! -s err ] || fail "$*: writes to standard error"
  head -n 1 out | grep -q "^usage: $TOOL" || fail "$*: does not begin with 'usage: $TOOL'"
  awk 'length($0) > 80 { print; bad = 1 } END { exit bad }' out || fail "$*: wider than 80 columns"
}
check $TOOL --help
check $TOOL -h
for verb in $(verbs $TOOL); do
  check $TOOL $verb --help
  check $TOOL $verb -h
done
