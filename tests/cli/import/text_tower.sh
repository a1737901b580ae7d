# A checkpoint of captions without CLIP's text tower: the tower comes from a file or a folder of its own.
. "$TESTS/cli/help.sh"
need captions.safetensors tower.safetensors merges.txt
import="vq-import --heads 4 --vocabulary $FIXTURES/merges.txt"
expect 1 $import "$FIXTURES/captions.safetensors" -o x.safetensors
grep -q 'holds no text tower' err || fail "does not say what is missing: $(cat err)"
grep -q -e '--text-tower' err || fail "does not say what would help: $(cat err)"

expect 0 $import --text-tower "$FIXTURES/tower.safetensors" "$FIXTURES/captions.safetensors" -o lone.safetensors
grep -q 'text_model.embeddings.token_embedding' out || fail "the table does not tell of the tower: $(cat out)"
expect 0 sh -c 'echo red | vq-sample -m lone.safetensors --order random --steps 2 -n 2 -o tokens.vqt'
[ "$(vq-info --field records tokens.vqt)" = 2 ] || fail "nothing is sampled"

# Heads: a 64th of the width, or what the folder's configuration says, which an option cannot contradict.
heads() { vq-info --json "$1" | tr -d ' \n' | grep -o '"text":{[^}]*}' | grep -o '"heads":[0-9]*'; }
[ "$(heads lone.safetensors)" = '"heads":1' ] || fail "the tower has not one head: $(heads lone.safetensors)"
mkdir clip
cp "$FIXTURES/tower.safetensors" clip/model.safetensors
echo '{"text_config": {"num_attention_heads": 2, "hidden_act": "quick_gelu"}}' >clip/config.json
cp "$FIXTURES/merges.txt" clip/
import="vq-import --heads 4 --vocabulary clip"
for tower in clip clip/model.safetensors; do
  expect 0 $import -q --text-tower $tower "$FIXTURES/captions.safetensors" -o two.safetensors -f
  [ "$(heads two.safetensors)" = '"heads":2' ] || fail "$tower: the configuration is not read"
done
expect 2 $import --text-tower clip --text-heads 4 "$FIXTURES/captions.safetensors" -o x.safetensors
grep -q 'is 4, and clip/config.json says 2' err || fail "does not say what contradicts what: $(cat err)"
echo '{"hidden_act": "gelu"}' >clip/config.json
expect 1 $import --text-tower clip "$FIXTURES/captions.safetensors" -o x.safetensors
grep -q 'hidden_act is "gelu", not quick_gelu' err || fail "takes another tower: $(cat err)"

expect 1 $import --text-tower "$FIXTURES/taming.safetensors" "$FIXTURES/captions.safetensors" -o x.safetensors
grep -q 'holds no text tower of CLIP' err || fail "does not say that it is none: $(cat err)"
expect 1 $import --text-tower "$FIXTURES/pictures" "$FIXTURES/captions.safetensors" -o x.safetensors
grep -q 'holds no weights' err || fail "does not say that there are none: $(cat err)"
expect 2 vq-import --heads 2 --groups 2 --text-tower "$FIXTURES/tower.safetensors" "$FIXTURES/checkpoint.safetensors" -o x.safetensors
[ ! -e x.safetensors ] || fail "leaves a file"
