# A model that reads captions by CLIP: no further options, and what is said of prompts too long for it.
. "$TESTS/cli/help.sh"
need model.safetensors
for null in learned empty; do
  expect 0 python3 "$TESTS/cli/sample/clip_model.py" "$FIXTURES/model.safetensors" $null.safetensors $null
done
sample() {
  vq-sample -j 1 --steps 2 --text --no-history -f "$@"
}
expect 0 vq-info --field config learned.safetensors
grep -q '"text":{"kind":"clip","layers":.*"vocabulary":518,' out || fail "vq-info does not say who reads: $(cat out)"

for null in learned empty; do
  expect 0 sample -m $null.safetensors -p 'Cat &amp; DOG' -n 2 -g 3 -o $null.two
  cmp -s err /dev/null || fail "says $(cat err)"
  expect 0 sample -m $null.safetensors -p 'cat & dog' -n 2 -g 3 -o again
  grep -v '^#' $null.two | cut -f 3 >a
  grep -v '^#' again | cut -f 3 | cmp -s a - || fail "the same ids, and other tokens"
  expect 0 sample -m $null.safetensors -p cat -g 3 --negative dog -o negative
  expect 0 sample -m $null.safetensors -p cat -g 3 --null empty -o $null.empty
  expect 0 sample -m $null.safetensors -p cat -g 3 --null zero -o zero
done
# A model without a learned null takes the empty caption, named or not; a prompt of nothing is the same.
expect 0 sample -m empty.safetensors -p cat -g 3 -o unnamed
cmp -s unnamed empty.empty || fail "--null empty is not this model's own null"
expect 2 sample -m empty.safetensors -p cat -g 3 --null learned -o x
grep -qxF "vq-sample: --null: this model has no learned null" err || fail "says $(cat err)"
echo | sample -m empty.safetensors -o nothing || fail "takes no empty line"

# Longer than the model hears: said with -v alone.
long='a cat and a dog and a cat and a dog and a cat and a dog and a cat and a dog'
expect 0 sample -m learned.safetensors -p "$long" -o x
cmp -s err /dev/null || fail "says $(cat err)"
expect 0 sample -m learned.safetensors -p "$long" -o x -v
grep -q "^vq-sample: --prompt: the model hears the first [0-9]* of [0-9]* text tokens: a cat" err ||
  fail "-v says $(cat err)"
awk 'BEGIN { while (n++ < 130000) printf "cat dog "; print "" }' >huge
expect 1 sample -m learned.safetensors huge -o y
grep -q '^vq-sample: huge:1: a caption of 10[0-9]* bytes; the most is 1000000$' err || fail "says $(cut -c 1-200 err)"
