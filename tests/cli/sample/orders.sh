# Every order ends without [mask], and gives the same bytes whatever shares a record's batch.
. "$TESTS/cli/help.sh"
need model.safetensors
sample() {
  vq-sample -m "$FIXTURES/model.safetensors" -q -j 1 -s 3 --no-history --steps 5 --order "$@" \
    -p "disc 40 60 30" -p "disc 200 180 220" -n 4
}
for order in ancestral random purity confidence halton first-hitting remask; do
  expect 0 sample $order -b 7 -o $order.vqt
  expect 0 sample $order -b 1 -o one.vqt --force
  cmp $order.vqt one.vqt || fail "$order: the bytes depend on the batch"
  vq-info --text $order.vqt | grep -v '^#' >records
  [ "$(wc -l <records)" = 8 ] || fail "$order: not eight records"
  if cut -f 3 records | grep _; then fail "$order: left a [mask]"; fi
done
# They are different ways: no two give the same grids.
for order in ancestral random purity confidence halton first-hitting remask; do
  vq-info --text $order.vqt | grep -v '^#' | cut -f 3 | cksum
done | sort -u >sums
[ "$(wc -l <sums)" = 7 ] || fail "two orders give the same grids"
