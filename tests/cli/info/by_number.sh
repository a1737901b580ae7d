# --records goes by the index where there is one: damage elsewhere does not matter, and the part says where it is from.
. "$TESTS/cli/help.sh"
file=$TESTS/golden/token-grid-v1/passed/history.vqt
cp "$file" damaged.vqt
printf 'XXXX' | dd of=damaged.vqt bs=1 seek=300 conv=notrunc 2>/dev/null
expect 1 vq-info --verify damaged.vqt
expect 0 vq-info --text --records 4..5 damaged.vqt
cut -f 1 out | grep -v '^#'
vq-info -o part.vqt --records 3.. "$file" "$file" || exit 1
vq-info -f records part.vqt
vq-info part.vqt | grep -c 'vq-info -o part.vqt --records 3..'
# A pipe has no index and is read from the front.
cat "$file" | vq-info --text --records 5 | cut -f 1 | grep -v '^#'
expect 1 vq-info --text --records 4..9 "$file"
cat err
