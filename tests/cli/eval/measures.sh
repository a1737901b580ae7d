# All measures of pictures with a codec's features, and saved statistics in a side's place.
. "$TESTS/cli/help.sh"
need codec.safetensors
codec=$FIXTURES/codec.safetensors pictures=$FIXTURES/pictures
expect 0 vq-eval -q -m "$codec" --metrics fid,kid,prdc,qs,ds --components 2 --neighbours 2 "$pictures" "$pictures"
for metric in fid kid precision recall density coverage qs ds; do
  grep -q "\"metric\":\"$metric\",\"value\":-*[0-9]" out || fail "$metric has no value: $(cat out)"
done
grep -q '"metric":"precision","value":1.0,' out || fail "a set does not lie in itself: $(cat out)"
grep -c '"standard":false' out | grep -qx 8 || fail "does not say that this is no standard network"
grep -c '"reference_id":"[0-9a-f]\{64\}"' out | grep -qx 8 || fail "does not name the reference"
sed 's/.*"metric":"\([a-z]*\)","value":\([^,]*\),.*/\1 \2/' out | grep -v ' -*0.0$' >direct

# The same from saved statistics, which keep which pictures they are of.
expect 0 vq-eval -q -m "$codec" --save-stats real.npz "$pictures"
[ ! -s out ] || fail "--save-stats prints"
expect 0 vq-eval -q -m "$codec" --metrics fid,kid,prdc,qs,ds --components 2 --neighbours 2 real.npz "$pictures"
sed 's/.*"metric":"\([a-z]*\)","value":\([^,]*\),.*/\1 \2/' out | grep -v ' -*0.0$' >saved
cmp -s direct saved || fail "saved statistics give other values: $(diff direct saved)"
expect 2 vq-eval -m "$codec" --save-stats real.npz "$pictures"
expect 0 vq-eval -q -f -m "$codec" --save-stats real.npz "$pictures"
expect 2 vq-eval -m "$codec" --save-stats other.npz "$pictures" "$pictures"
expect 2 vq-eval -m "$codec" --metrics kid --save-stats other.npz "$pictures"

# They serve only the network that they were taken with, and no metric that needs pictures.
vq-train codec "$pictures/captions.jsonl" -o second.safetensors --size tiny --steps 1 -b 4 \
  --image-size 32 --codes 16 -s 9 -q || fail "no second codec"
expect 1 vq-eval -m second.safetensors real.npz "$pictures"
grep -q 'real.npz: holds statistics of the network' err || fail "$(cat err)"
expect 1 vq-eval -m "$codec" --metrics recon real.npz "$pictures"
grep -q 'where pictures are needed' err || fail "$(cat err)"
expect 1 vq-eval -q -m "$codec" --metrics is "$pictures" "$pictures"
grep -q 'knows no classes' err || fail "$(cat err)"
expect 2 vq-eval -m "$codec" --fid-mode pytorch "$pictures" "$pictures"
