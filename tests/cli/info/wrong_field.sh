# A field that a file does not have.
vq-info --field nosuch "$TESTS/cli/info/birds.txt"
