# A token grid as prompts: the captions and keys of its records, in either spelling, as from lines of JSON.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
vq-info --text "$FIXTURES/tokens.vqt" >tokens.txt
grep -v '^#' tokens.txt | awk -F '\t' '{ sub(/^{/, "{\"key\":\"" $1 "\",", $4); print $4 }' >lines
draw() { vq-sample -m "$FIXTURES/model.safetensors" -j 1 --no-history --steps 3 --text "$@"; }
draw lines -o expected || exit 1
[ "$(grep -vc '^#' expected)" = 12 ] || fail "not twelve records"
draw "$FIXTURES/tokens.vqt" | cmp - expected || fail "another result from the binary spelling"
draw tokens.txt | cmp - expected || fail "another result from the text"
cat "$FIXTURES/tokens.vqt" | draw -b 5 | cmp - expected || fail "another result from a pipe"
# A record that asks for nothing.
awk -F '\t' -v OFS='\t' '/^#/ || NR > 3 { print; next } { $4 = "{}"; print }' tokens.txt >nameless
expect 1 draw nameless -o x
cat err
