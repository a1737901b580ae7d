# What cannot be drawn: one sentence, no picture; status 2 where nothing was read, else 1.
. "$TESTS/cli/help.sh"
echo '{"guidance":1,"metric":"fid","value":3,"error":0.5}' >lines.jsonl
echo '[1,2]' >list.jsonl
: >empty.jsonl
try() {
  status=$1 said=$2
  shift 2
  expect "$status" vq-eval "$@"
  prefixed vq-eval
  grep -q -e "$said" err || fail "$*: does not say $said: $(cat err)"
  [ ! -s out ] || fail "$*: writes to standard output"
  [ ! -e p.png ] && [ ! -e p.png.part ] || fail "$*: leaves a file behind"
}
try 1 'lacks "step"' --plot p.png lines.jsonl
try 1 '--x-axis' --plot p.png lines.jsonl
try 1 'lacks "seed"' --plot p.png -x seed lines.jsonl
try 1 'lacks "psnr"' --plot p.png -x guidance -y psnr lines.jsonl
try 1 'lacks "model"' --plot p.png -x guidance --series model lines.jsonl
try 1 'lines.jsonl: line 1: "metric" is not a number' --plot p.png -x metric lines.jsonl
try 1 'no lines' --plot p.png -x guidance empty.jsonl
try 1 'no lines' --plot p.png -x guidance
try 1 'list.jsonl: line 1: ' --plot p.png list.jsonl
try 1 'missing.jsonl' --plot p.png missing.jsonl
try 1 'no-such-folder' --plot no-such-folder/p.png -x guidance lines.jsonl
# Options that would do nothing, and sizes that are none.
try 2 '--metrics' --plot p.png --metrics fid lines.jsonl
try 2 '--model' --plot p.png -m codec.safetensors lines.jsonl
try 2 '--table' --plot p.png --table lines.jsonl
try 2 '--x-axis' -x guidance -m codec.safetensors lines.jsonl
try 2 '--title' --title Sweep -m codec.safetensors lines.jsonl
for size in 600 600x 10x400 600x400x2 600x99999 axb; do
  try 2 '--plot-size' --plot p.png --plot-size $size lines.jsonl
done
exit 0
