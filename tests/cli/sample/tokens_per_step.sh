# --tokens-per-step: so many become final in each step, and a grid of 16 takes as many steps as that says.
. "$TESTS/cli/help.sh"
need model.safetensors
sample() {
  vq-sample -m "$FIXTURES/model.safetensors" -q -j 1 -s 3 --text --force --tokens-per-step 5 --order "$@" \
    -p "disc 40 60 30" -n 2
}
masks() { grep "\"step\":$1}" trace | cut -f 3 | tr -cd '_\n' | awk '{ print length($0) }' | xargs; }
for order in random purity confidence halton first-hitting; do
  expect 0 sample $order --trace trace -o result
  [ "$(masks 1) $(masks 2) $(masks 3) $(masks 4)" = "11 11 6 6 1 1 0 0" ] ||
    fail "$order: $(masks 1), $(masks 2), $(masks 3), $(masks 4) masks are left after the steps 1 to 4"
  [ "$(grep -vc '^#' trace)" = 8 ] || fail "$order: not four steps"
done
