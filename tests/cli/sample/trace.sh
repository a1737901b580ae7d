# --trace: every step of every record, the last one being the result; --every leaves steps out, never the last.
. "$TESTS/cli/help.sh"
need model.safetensors
sample() {
  vq-sample -m "$FIXTURES/model.safetensors" -q -j 1 --text -p "disc 40 60 30" -n 3 -b 2 --steps 7 --order random \
    -o result --force "$@"
}
expect 0 sample --trace all
[ "$(grep -vc '^#' all)" = 21 ] || fail "$(grep -vc '^#' all) records, not 21"
grep -v '^#' result | cut -f 1,3 >results
grep '"step":7}' all | cut -f 1,3 | cmp - results || fail "the last step is not the result"
# The masks only become fewer, and step 1 still has some.
for key in 000000 000001 000002; do
  grep "^$key" all | cut -f 3 | tr -cd '_\n' | awk '{ print length($0) }' >masks
  sort -rn masks | cmp - masks || fail "$key: masks come back: $(xargs <masks)"
  [ "$(head -n 1 masks)" -gt 0 ] || fail "$key: complete after the first step"
done
for every in 3 7 100; do
  expect 0 sample --trace some --every $every
  grep -o '"step":[0-9]*}' some | sort | uniq -c | xargs >steps
  case $every in
    3) wanted='3 "step":3} 3 "step":6} 3 "step":7}' ;;
    *) wanted='3 "step":7}' ;;
  esac
  [ "$(cat steps)" = "$(echo "$wanted" | xargs)" ] || fail "every $every: $(cat steps), not $wanted"
  grep '"step":7}' some | cut -f 1,3 | cmp - results || fail "every $every: the last step is not the result"
done
# The trace is a token grid: it starts a run where it was left.
grep '"step":4}' all >four
expect 0 vq-sample -m "$FIXTURES/model.safetensors" --init four --text -o on
[ "$(grep -vc '^#' on)" = 3 ] || fail "the trace is no start for another run"
# In a pipe, too.
command="vq-sample -m '$FIXTURES/model.safetensors' -p 'disc 40 60 30' --steps 3 -o r.vqt --trace -"
expect 0 sh -c "$command | vq-info --text -"
[ "$(grep -vc '^#' out)" = 3 ] || fail "the trace in a pipe: $(cat out)"
