# --records counts from 0, both ends included.
cp "$TESTS/cli/info/birds.txt" .
keys() { vq-info --text "$@" birds.txt | grep -v '^#' | cut -f 1 | tr '\n' ' '; echo; }
keys
keys --records 1
keys --records 1..2
keys --records ..1
keys --records 1..
