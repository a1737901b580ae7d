# Ranges that are none: status 2, and how to write one.
for range in x 2..1 .. 1- -1 1..2..3 99999999999999999999; do
  vq-info --text --records=$range "$TESTS/cli/info/birds.txt" 2>&1
  echo $?
done
vq-info --records 1 "$TESTS/cli/info/birds.txt"
