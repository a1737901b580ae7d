# The text of a text is the same text, through a file and through a pipe; a record needs no header line.
vq-info --text "$TESTS/cli/info/birds.txt" >once
vq-info --text <once >twice
cmp once twice || exit 1
tail -n 1 once | vq-info --field records
tail -n 1 once | vq-info --field height -
