# Nothing given and nothing to read: an error in one line, not a page and not silence.
. "$TESTS/cli/help.sh"
$TOOL >out 2>err </dev/null
status=$?
case $status in
  1 | 2) ;;
  *) fail "exit status $status without operands and with empty input" ;;
esac
prefixed $TOOL
[ ! -s out ] || fail "writes to standard output"
