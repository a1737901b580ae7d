# A mistyped option: status 2, nothing on standard output, one line and at most one hint, which names
# --help; never the whole page.
. "$TESTS/cli/help.sh"
for verb in "" $(verbs $TOOL); do
  for option in --hlep --no-such-option -Z --=x -% --quiet=yes; do
    expect 2 $TOOL $verb $option
    [ ! -s out ] || fail "$verb $option: writes to standard output"
    prefixed $TOOL
    grep -q -e --help err || fail "$verb $option: does not lead to --help: $(cat err)"
  done
done
for verb in $(verbs $TOOL) ""; do break; done
expect 2 $TOOL $verb --hlep
grep -q 'did you mean --help' err || fail "--hlep: does not think of --help: $(cat err)"
