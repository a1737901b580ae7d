# The shell completion knows the options the program has.
. "$TESTS/cli/help.sh"
sh "$TESTS/../tools/update-completion.sh" --check "$BIN" $TOOL
