# A record that is not there is an error, and those that are there were printed.
vq-info --text --records 2..5 "$TESTS/cli/info/birds.txt" | cut -f 1 | tail -n 1
