# A reader that goes away ends the program by SIGPIPE (141), whatever the parent did with that signal.
. "$TESTS/cli/help.sh"
{ sleep 0.2; $TOOL --help 2>err; echo $? >status; } | true
[ "$(cat status)" = 141 ] || fail "exit status $(cat status) on a closed pipe, not 141"
[ ! -s err ] || fail "complains about a closed pipe: $(cat err)"
{ trap '' PIPE; sleep 0.2; $TOOL --help 2>err; echo $? >status; } | true
[ "$(cat status)" = 141 ] || fail "exit status $(cat status) where the parent ignores SIGPIPE, not 141"
