# The page of a token grid in the text spelling, header line and all.
cp "$TESTS/cli/info/birds.txt" .
vq-info birds.txt
