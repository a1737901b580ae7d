# The OPTIONS of the manual page are what the program's own table says.
. "$TESTS/cli/help.sh"
page=$TESTS/../man/$TOOL.1
[ -e "$page" ] || fail "there is no man/$TOOL.1"
sh "$TESTS/../man/update-options.sh" --check "$BIN" $TOOL || exit 1
for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
  grep -Eq "^\.Sh \"?$section\"?$" "$page" || fail "man/$TOOL.1 has no section $section"
done
