# A picture is what its bytes are: WebP, a PNG named .jpg, and on standard input anything at all.
. "$TESTS/cli/help.sh"
need codec.safetensors
codec=$FIXTURES/codec.safetensors
command -v base64 >/dev/null || skip "there is no base64"
words() { vq-info --text "$1" | grep -v '^#' | cut -f 3; }
# 32 x 32, one colour (200, 120, 40), lossless.
echo 'UklGRh4AAABXRUJQVlA4TBEAAAAvH8AHAAdQvCIXpf+BiOh/AAA=' | base64 -d >a.webp
{ printf 'P6\n32 32\n255\n'
  awk 'BEGIN { for (i = 0; i < 1024; i++) printf "\\310\\170\\050" }' | { read -r bytes; printf "$bytes"; }
} >b.ppm
expect 0 vq-encode -m "$codec" a.webp -o a.vqt
expect 0 vq-encode -m "$codec" b.ppm -o b.vqt
words b.vqt >b
words a.vqt | cmp - b || fail "a WebP gives something else"
vq-info a.webp | grep -q 'format  *webp' || fail "$(vq-info a.webp)"

expect 0 vq-decode -m "$codec" b.vqt -o b.png
cp b.png c.jpg
expect 0 vq-encode -m "$codec" b.png -o png.vqt
expect 0 vq-encode -m "$codec" c.jpg -o jpg.vqt
words png.vqt >png
words jpg.vqt | cmp - png || fail "a PNG named .jpg gives something else"
for file in b.ppm b.png a.webp; do
  expect 0 vq-encode -m "$codec" -o in.vqt -f <$file
  words in.vqt >in
  expect 0 vq-encode -m "$codec" $file -o named.vqt -f
  words named.vqt | cmp - in || fail "$file from standard input gives something else"
done
exit 0
