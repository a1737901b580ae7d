# --strength: a part of the tokens is forgotten, more with a higher number, and the rest stays.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
vary() {
  vq-sample -m "$FIXTURES/model.safetensors" --init "$FIXTURES/tokens.vqt" -q -j 1 --text --no-history --force \
    --order random --steps 20 -n 4 "$@"
}
changed() {  # how many of the 12 x 4 x 16 tokens
  vq-info --text "$FIXTURES/tokens.vqt" | grep -v '^#' | cut -f 1,3 >before
  grep -v '^#' "$1" | sed 's/-[0-3]	/	/' | awk -F '\t' '
    NR == FNR { before[$1] = $2; next }
    { n = split(before[$1], a, " "); split($3, b, " "); for (i = 1; i <= n; i++) d += a[i] != b[i] }
    END { print d + 0 }' before -
}
expect 0 vary --strength 0.3 -b 7 -o some
n=$(changed some)
# About 0.3 x 768, less those that come back the same.
[ "$n" -gt 100 ] && [ "$n" -lt 300 ] || fail "changed $n of 768 tokens"
expect 0 vary --strength 0.9 -o most
[ "$(changed most)" -gt $((n * 2)) ] || fail "0.9 changed $(changed most) tokens, 0.3 $n"
expect 0 vary --strength 0.3 -b 1 -o again
cmp some again || fail "the bytes depend on the batch"
expect 0 vary --strength 0.3 -s 1 -o other
if cmp -s some other; then fail "another seed, the same variations"; fi
# It takes its share of the steps.
expect 0 vary --strength 0.3 --trace trace -o x
grep -o '"step":[0-9]*' trace | sort -u | wc -l | grep -qx 6 || fail "not 6 of 20 steps"
