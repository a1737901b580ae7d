# An input that is not there: named, with the reason, status 1 or 2, nothing written.
. "$TESTS/cli/help.sh"
read_command $TOOL
expect_file=no/such.file
sh -c "$(fill $expect_file)" >out 2>err
status=$?
case $status in
  1 | 2) ;;
  *) fail "exit status $status for a missing input" ;;
esac
prefixed $TOOL
grep -q "$expect_file" err || fail "does not name the file: $(cat err)"
grep -qi 'no such file' err || fail "does not say that it is not there: $(cat err)"
ls | grep -v -e '^out$' -e '^err$' && fail "leaves a file"
exit 0
