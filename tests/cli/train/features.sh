# A feature network of one's own: learnt from labelled pictures, and what vq-eval makes of it.
. "$TESTS/cli/help.sh"
need tokens.vqt # made by vq-train and vq-encode, so both are there
mkdir -p classes/dark classes/light
for i in 1 2 3 4 5 6; do
  cp "$FIXTURES/pictures/p$i.ppm" classes/dark
  cp "$FIXTURES/pictures/p$((i + 6)).ppm" classes/light
done
expect 0 vq-train features classes -o features.safetensors --steps 3 -b 4 --image-size 16 --channels 8 --levels 2 --log log
grep -q '"accuracy":' log || fail "logs no accuracy: $(cat log)"
expect 0 vq-eval -q --network features.safetensors --metrics fid,kid,is classes "$FIXTURES/pictures"
grep -q '"metric":"is","value":[0-9]' out || fail "$(cat out)"
grep -c '"network":"own small-classifier of 2 classes"' out | grep -qx 3 || fail "does not say whose it is: $(cat out)"
grep -c '"standard":false' out | grep -qx 3 || fail "passes for the standard: $(cat out)"
# Pictures without labels teach nothing.
expect 1 vq-train features "$FIXTURES/pictures" -o other.safetensors --steps 1
grep -q 'without labels' err || fail "$(cat err)"
[ ! -e other.safetensors ] || fail "writes a model all the same"
expect 2 vq-train features classes -o other.safetensors
expect 2 vq-train features classes -o features.safetensors --steps 1
