# What cannot be: said in one line, with the option that would help.
. "$TESTS/cli/help.sh"
need checkpoint.safetensors taming.safetensors
says() {
  wanted=$1 words=$2
  shift 2
  expect "$wanted" "$@"
  grep -q -e "$words" err || fail "does not say '$words': $(cat err)"
  prefixed vq-import
}
says 2 'where the model goes' vq-import "$FIXTURES/taming.safetensors"
says 1 'cannot come first\|cannot be split into 32 groups' vq-import "$FIXTURES/taming.safetensors" -o x.safetensors
says 1 '\-\-heads' vq-import "$FIXTURES/checkpoint.safetensors" -o x.safetensors --groups 2
says 2 'which -o takes' vq-import --groups 2 "$FIXTURES/taming.safetensors" --codec-out x.safetensors
says 2 'says nothing for this source' vq-import --groups 2 --heads 2 "$FIXTURES/taming.safetensors" -o x.safetensors
says 2 'not HxW' vq-import --grid 16 "$FIXTURES/checkpoint.safetensors" -o x.safetensors
printf 'cat\n' >names
says 2 'has 1 names' vq-import --heads 2 --groups 2 --classes names "$FIXTURES/checkpoint.safetensors" -o x.safetensors
says 2 '\-\-codec' vq-import --codec a "$FIXTURES/taming.safetensors" -o x.safetensors
says 1 'is not a safetensors file\|not one of this toolkit' vq-import --to diffusers "$FIXTURES/taming.safetensors" -o x
expect 0 vq-import -q --groups 2 "$FIXTURES/taming.safetensors" -o codec.safetensors
[ ! -s out ] || fail "-q prints a table"
says 1 'toolkit already' vq-import codec.safetensors -o x.safetensors
says 1 '\-\-to diffusers' vq-import codec.safetensors -o x.safetensors
says 1 '\-\-text-tower takes it' vq-import "$FIXTURES/tower.safetensors" -o x.safetensors
mkdir folder
says 1 'model_index.json' vq-import folder -o x.safetensors
echo '{"_class_name": "Transformer2DModel"}' >folder/config.json
says 1 'of a Transformer2DModel, not of a VQModel' vq-import folder -o x.safetensors
grep -q 'the folder with model_index.json, above' err || fail "does not say where the pipeline is: $(cat err)"
ls | grep '^x' && fail "leaves a file"
exit 0
