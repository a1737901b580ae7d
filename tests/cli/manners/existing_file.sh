# An existing output is kept unless --force is given.
. "$TESTS/cli/help.sh"
write_command $TOOL
for file in $(fill result | tr ' ' '\n' | grep '^result'); do break; done
echo precious >$file
sh -c "$(fill result)" >out 2>err
status=$?
case $status in
  1 | 2) ;;
  *) fail "exit status $status with the output already there" ;;
esac
prefixed $TOOL
grep -q -e --force err || fail "does not tell of --force: $(cat err)"
[ "$(cat $file)" = precious ] || fail "wrote over it"
[ ! -e $file.part ] || fail "leaves $file.part"
expect 0 sh -c "$(fill result) --force"
[ "$(head -c 8 $file)" != precious ] || fail "did not write with --force"
