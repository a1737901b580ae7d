# Text to binary and back gives the same bytes; -o replaces nothing without --force, and says how much there is.
. "$TESTS/cli/help.sh"
for name in text example history json-of-every-kind one-code-masked; do
  vq-info --text "$TESTS/golden/token-grid-v1/passed/$name.text" >"$name.txt" || exit 1
  vq-info -o "$name.vqt" "$name.txt" || exit 1
  zstd -tq "$name.vqt" 2>/dev/null || command -v zstd >/dev/null && { zstd -tq "$name.vqt" || exit 1; }
  vq-info -f spelling "$name.vqt" | grep -qx binary || fail "$name.vqt is not binary"
  vq-info --text "$name.vqt" | cmp - "$name.txt" || fail "$name: not the same after the way through binary"
  expect 2 vq-info -o "$name.vqt" "$name.txt"
  expect 0 vq-info --force --text -o "$name.vqt" "$name.vqt"
  cmp "$name.vqt" "$name.txt" || fail "$name: -o with --text is not the text"
done
vq-info -o - text.txt | vq-info -f records
expect 2 vq-info --salvage text.txt
expect 2 vq-info --records 1 text.txt
expect 2 vq-info --heat x.png --text text.txt
