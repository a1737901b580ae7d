# --heat: a PNG that tells how it was made; --records chooses.
. "$TESTS/cli/help.sh"
cp "$TESTS/cli/info/birds.txt" .
vq-info --heat all.png birds.txt || exit 1
vq-info --heat one.png --records 1 birds.txt || exit 1
vq-info -f format all.png
vq-info one.png | grep -o 'vq-info --heat one.png --records 1 birds.txt'
[ "$(vq-info -f width all.png)" -gt "$(vq-info -f width one.png)" ] || fail "three grids are not wider than one"
expect 2 vq-info --heat all.png birds.txt
expect 1 vq-info --heat none.png --records 7 birds.txt
[ ! -e none.png ] || fail "a picture of nothing"
