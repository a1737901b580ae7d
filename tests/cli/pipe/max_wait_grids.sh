# --max-wait where token grids come through a pipe, as prompts or to start from: a batch waits for the grids that fill it,
# and no longer; without it, what is there is sampled at once. The tokens are the same.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
for i in 0 1; do
  expect 0 vq-info -q --records $i..$i -o grid$i.vqt "$FIXTURES/tokens.vqt"
done
records() { grep -vc '^#' "$1"; }
# until_records COUNT FILE
until_records() {
  tries=0
  until [ "$(records "$2")" = "$1" ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || fail "$2: not $1 records after 30 s: $(cat err)"
    sleep 0.1
  done
}
for how in prompts init; do
  case $how in prompts) grids=pipe ;; init) grids="--init pipe --strength 0.5" ;; esac
  for wait in 3600 0; do
    rm -f pipe
    mkfifo pipe
    out=$how.$wait
    { vq-sample -m "$FIXTURES/model.safetensors" -j 1 --steps 2 --no-history --text -b 2 --max-wait $wait $grids 2>err
      echo $? >status; } | cat >$out &
    job=$!
    exec 5>pipe
    cat grid0.vqt >&5
    if [ $wait = 0 ]; then
      until_records 1 $out
    else
      sleep 1
      [ "$(records $out)" = 0 ] || fail "$how: the first grid did not wait for the second"
    fi
    cat grid1.vqt >&5
    until_records 2 $out
    exec 5>&-
    wait $job
    [ "$(cat status)" = 0 ] || fail "$(cat err)"
  done
  cmp $how.3600 $how.0 || fail "$how: another result for another patience"
done
