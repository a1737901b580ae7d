# Broken pictures: named, listed, counted; the good ones come out as if there were no others.
. "$TESTS/cli/help.sh"
need codec.safetensors
codec=$FIXTURES/codec.safetensors
mkdir all good
cp "$FIXTURES"/pictures/p?.ppm all
cp "$FIXTURES"/pictures/p?.ppm good
echo nothing >all/a.png
head -c 500 all/p2.ppm >all/p10.ppm
: >all/p9.jpg && rm -f all/p9.ppm good/p9.ppm
expect 0 vq-encode -m "$codec" --no-history --max-bad 3 --bad-list bad.txt -j 3 -b 4 all -o all.vqt
cat >wanted <<'T'
all/a.png	is not a PNG, JPEG, WebP or PPM image
all/p9.jpg	is empty, not an image
all/p10.ppm	the picture ends after 487 of 3072 bytes of pixels
T
cmp bad.txt wanted || fail "$(cat bad.txt)"
grep -q '^vq-encode: 3 of 11 pictures skipped$' err || fail "$(cat err)"
expect 0 vq-encode -m "$codec" --no-history good -o good.vqt
cmp all.vqt good.vqt || fail "the good ones are others"

# One too many: status 1, no file, but the list is there.
rm all.vqt
expect 1 vq-encode -m "$codec" --max-bad 1 --bad-list two.txt all -o all.vqt
[ ! -e all.vqt ] || fail "leaves a file"
[ "$(wc -l <two.txt)" = 2 ] || fail "$(cat two.txt)"
expect 2 vq-encode -m "$codec" --max-bad 9 --bad-list two.txt all -o all.vqt
grep -q '^vq-encode: two.txt: exists already$' err || fail "$(cat err)"
exit 0
