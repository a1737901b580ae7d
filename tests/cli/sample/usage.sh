# Options that do not go together, or would do nothing: one sentence that names the option, before anything is
# read. The sentences are in usage.stderr.
. "$TESTS/cli/help.sh"
try() {
  vq-sample -m no-such-model -p x -o x.vqt "$@"
  status=$?
  [ $status = 2 ] || fail "exit status $status, not 2: $*"
  [ ! -e x.vqt ] || fail "left a file: $*"
}
# Editing and the trace.
try --mask m.png
try --strength 0.5
try --init a.vqt --mask-grow 2
try --init a.vqt -p y
try --init a.vqt prompts.txt
try --every 2
try --trace x.vqt
try --text --level 3
# Options of one order.
try --purity-weight 2
try --purity-norm max --order random
try --confidence-noise 1 --order purity
try --remask-rule cap
try --remask-strength 0.1 --order confidence
try --tokens-per-step 4
try --tokens-per-step 4 --order remask
try --tokens-per-step 4 --order random --steps 3
# Options of the guidance.
try -g 1 --guidance-schedule linear
try -g 1 --guidance-interval 0,0.5
try -g 1 --guide posterior
try -g 1 --null empty
try -g 1 --negative y
try -g 2 --negative ' '
try -g 2 --negative y --null zero
try -g 2 --guide posterior --order random
try -g 2 --guide posterior --top-p 0.9
try -g 2 --guide posterior --top-k 5
try -g 2 --guide posterior --temperature 0.5
try -g 2 --guidance-interval 0.5
try -g 2 --guidance-interval 0.9,0.1
# Names that are no names.
try --init ''
try --trace ''
try --order best
# Times that nobody looks at.
try --spacing cosine --order random --tokens-per-step 2
try --spacing cosine --order first-hitting
try --spacing cosine --stride-posterior one-step
