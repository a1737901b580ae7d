# No room for the output file: status 1, the reason, and no half-written file under any name.
. "$TESTS/cli/help.sh"
write_command $TOOL
(
  ulimit -f 0
  sh -c "$(fill result)"
) 2>&1 >/dev/null | cat >err
prefixed $TOOL
[ -e result ] || [ -e result.part ] || [ -e result.ppm ] || [ -e result.ppm.part ] || exit 0
fail "leaves a file"
