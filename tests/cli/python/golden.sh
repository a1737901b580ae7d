# A reader made from formats/token_grid.md alone reads every golden file as vq-info does, and refuses the others.
. "$TESTS/cli/help.sh"
need_python zstandard
"$python" -B "$TESTS/reader/golden_test.py" "$TESTS/golden/token-grid-v1"
