# Input that is something else: one sentence that names the file, status 1, no output file left.
. "$TESTS/cli/help.sh"
read_command $TOOL
printf '\377\000\001 neither\002 this\377 nor that' >odd.bin
expect 1 sh -c "$(fill odd.bin)"
prefixed $TOOL
grep -q 'odd.bin' err || fail "does not name the file: $(cat err)"
ls | grep -v -e '^out$' -e '^err$' -e '^odd.bin$' && fail "leaves a file"
exit 0
