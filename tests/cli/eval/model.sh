# A diffusion model and tokens: the bound in bits, and purity against accuracy, one line a time.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
command="vq-eval -q -m $FIXTURES/model.safetensors"
expect 0 $command --metrics bits,purity "$FIXTURES/tokens.vqt"
[ ! -s err ] || fail "says something under --quiet: $(cat err)"
[ "$(wc -l <out)" = 4 ] || fail "not one line of bits and three of purity: $(cat out)"
cp out both
network='"network":"diffusion model","network_id":"[0-9a-f]\{64\}","seed":0,"dtype":"fp32"}$'
head -n 1 both | grep -q '^{"metric":"bits","value":[0-9.]*,"error":[0-9.e-]*,"records":12,"draws":4,'"$network" ||
  fail "bits: $(head -n 1 both)"
# It knows next to nothing: near log2 of its 16 codes, or of those that are left.
head -n 1 both | awk -F '[:,]' '{ exit !($4 > 0.1 && $4 < 8) }' || fail "$(head -n 1 both)"
for time in 20 50 80; do
  grep '^{"metric":"purity","value":[^,]*,"error":[^,]*,"timestep":'$time',"records":12,"positions":[0-9]*,' both |
    grep '"bins":\[{"from":0.0,"to":0.1,"count":' | grep -q "$network" || fail "purity at $time: $(cat both)"
done

# The batch changes nothing, the seed does; a pipe and several files do as well as one.
expect 0 $command --metrics bits,purity -b 5 "$FIXTURES/tokens.vqt"
cmp out both || fail "another batch, other numbers: $(cat both out)"
expect 0 $command --metrics bits -s 1 "$FIXTURES/tokens.vqt"
head -n 1 both | cmp -s - out && fail "another seed, the same number"
expect 0 sh -c "$command --metrics bits,purity - <'$FIXTURES/tokens.vqt'"
cmp out both || fail "standard input is something else: $(cat both out)"
expect 0 $command --metrics bits "$FIXTURES/tokens.vqt" "$FIXTURES/tokens.vqt"
grep -q '"records":24,' out || fail "two files: $(cat out)"

expect 0 $command --metrics purity --timesteps=1,100 "$FIXTURES/tokens.vqt"
[ "$(wc -l <out)" = 2 ] || fail "$(cat out)"
grep -q '"timestep":100,' out || fail "$(cat out)"
expect 0 $command --metrics bits,purity --table "$FIXTURES/tokens.vqt"
head -n 1 out | grep -q '^metric  *value  *error  *t  *records  *draws  *positions' || fail "$(cat out)"
[ "$(wc -l <out)" = 5 ] || fail "$(cat out)"

# A coarser network is nearly as good; a processor that has no such products says so.
expect 0 $command --metrics bits --dtype bf16 "$FIXTURES/tokens.vqt"
cat out >coarser
if $command --metrics bits --dtype int8 "$FIXTURES/tokens.vqt" >out 2>err; then
  cat out >>coarser
else
  [ $? = 2 ] || fail "int8: $(cat err)"
  grep -q AVX512_BF16 err || fail "int8: $(cat err)"
fi
head -n 1 both | cat - coarser |
  awk -F '[:,]' 'NR == 1 { exact = $4; next } { off = $4 / exact - 1; if (off * off > 0.01 * 0.01) exit 1 }' || fail "bf16 or int8 is far off: $(head -n 1 both; cat coarser)"

# What it has not, or is not: status 1, named.
try() {
  named=$1
  shift
  expect 1 vq-eval -q "$@"
  prefixed vq-eval
  grep -q -e "$named" err || fail "$*: does not name $named: $(cat err)"
  [ ! -s out ] || fail "$*: writes to standard output"
}
try '--timesteps: 101' --metrics purity --timesteps 101 -m "$FIXTURES/model.safetensors" "$FIXTURES/tokens.vqt"
try '--draws: 101' --metrics bits --draws 101 -m "$FIXTURES/model.safetensors" "$FIXTURES/tokens.vqt"
try 'codec.safetensors' --metrics bits -m "$FIXTURES/codec.safetensors" "$FIXTURES/tokens.vqt"
try 'missing.vqt' --metrics bits -m "$FIXTURES/model.safetensors" missing.vqt
vq-info --text "$FIXTURES/tokens.vqt" | sed 's/"caption":"[^"]*"/"note":""/' >bare.txt
try 'bare.txt: has no captions' --metrics bits -m "$FIXTURES/model.safetensors" bare.txt
exit 0
