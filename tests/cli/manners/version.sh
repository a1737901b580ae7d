# --version and -V: one line that scripts can read.
. "$TESTS/cli/help.sh"
for option in --version -V; do
  expect 0 $TOOL $option
  [ ! -s err ] || fail "$option writes to standard error"
  [ "$(wc -l <out)" = 1 ] || fail "$option prints more or less than a line"
  grep -Eqx "$TOOL \(vq\) [0-9]+\.[0-9]+\.[0-9]+" out || fail "$option prints: $(cat out)"
done
