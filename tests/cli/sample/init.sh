# --init: [mask] is filled, everything else stays as it is, and so does what is known about the record.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
# The four cells in the middle of the grids are hidden.
vq-info --text "$FIXTURES/tokens.vqt" | awk -F '\t' -v OFS='\t' '
  !/^#/ {
    sub(/:16:/, ":16_:", $2)
    n = split($3, t, " ")
    $3 = t[1]
    for (i = 2; i <= n; i++) $3 = $3 " " (i == 6 || i == 7 || i == 10 || i == 11 ? "_" : t[i])
    sub(/}$/, ",\"place\":[1,2]}", $4)
    print
  }' >holes
tokens() { grep -v '^#' "$1" | cut -f 3; }
rim() { tokens "$1" | awk '{ $6 = $7 = $10 = $11 = ""; print }'; }
for order in ancestral random purity confidence halton first-hitting remask; do
  expect 0 vq-sample -m "$FIXTURES/model.safetensors" -j 1 --init holes --order $order --steps 6 --text -o $order
  [ "$(tokens $order | wc -l)" = 12 ] || fail "$order: not twelve records"
  rim holes >before
  rim $order | cmp - before || fail "$order: changed tokens that were given"
  if tokens $order | grep _; then fail "$order: left a [mask]"; fi
done
# Key, caption and other members are passed on; the seed is the one of this run.
grep -q '^p1	.*{"caption":"disc 40 60 30","seed":0,"place":\[1,2\]}$' random || fail "$(sed -n 2p random)"
vq-info --json random | grep -q 'vq-sample' || fail "no history"

# One prompt for all, from a pipe, three ways each: the same bytes for every batch.
fill() {
  vq-sample -m "$FIXTURES/model.safetensors" -j 1 --no-history --steps 5 --init - -p "disc 9 9 9" -n 3 -s 5 "$@" \
    <holes
}
expect 0 fill -b 7 -q -o a.vqt
expect 0 fill -b 1 -q -o b.vqt
cmp a.vqt b.vqt || fail "the bytes depend on the batch"
vq-info --text a.vqt | grep -c '"caption":"disc 9 9 9"' | grep -qx 36 || fail "not the prompt that was given"
vq-info --text a.vqt | grep -q '^p1-2	' || fail "the third of a record is not called so"

# A stream that might hold [mask] and does not: said, and left as it is.
sed -n '2,3s/:16:/:16_:/p' random >full
expect 0 vq-sample -m "$FIXTURES/model.safetensors" --init full --text -o same
tokens same >after
tokens full | cmp - after || fail "changed what was not to be changed"
grep -qx 'vq-sample: --init: no grid had a \[mask\], and all are as they were' err || fail "says: $(cat err)"
