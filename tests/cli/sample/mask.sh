# --mask: cells under bright pixels are made anew, and --mask-grow frees their neighbours as well.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
# 8 x 8 pixels over 4 x 4 cells; the bright one lies in the second row and the third column.
{
  printf 'P5 8 8 255\n'
  head -c 21 /dev/zero
  printf '\377'
  head -c 42 /dev/zero
} >mask.pgm
edit() {
  vq-sample -m "$FIXTURES/model.safetensors" -j 1 --init "$FIXTURES/tokens.vqt" --text -s 1 --steps 8 --force "$@"
}
tokens() { grep -v '^#' "$1" | cut -f 3; }
changed() {  # the cells, from 1, in which any of the records differs from before
  tokens "$1" | paste -d ' ' before - | awk '{ for (i = 1; i <= 16; i++) if ($i != $(i + 16)) c[i] = 1 }
    END { for (i = 1; i <= 16; i++) if (i in c) printf "%d ", i }'
}
vq-info --text "$FIXTURES/tokens.vqt" | grep -v '^#' | cut -f 3 >before
expect 0 edit --mask mask.pgm -o one
[ "$(changed one)" = "7 " ] || fail "changed the cells $(changed one)and not only 7"
expect 0 edit --mask mask.pgm --mask-grow 1 -o nine
[ "$(changed nine)" = "2 3 4 6 7 8 10 11 12 " ] || fail "grown by one: changed $(changed nine)"
# With --strength only some of what is free changes, and nothing else.
expect 0 edit --mask mask.pgm --mask-grow 1 --strength 0.3 --order random -o few
tokens few | paste -d ' ' before - | awk '{ for (i = 1; i <= 16; i++) if ($i != $(i + 16)) { n++
    if (i % 4 == 1 || i > 12) bad = 1 } } END { exit bad || n == 0 || n > 70 }' || fail "not some of what is free"

# A mask that frees nothing, or is no picture.
{ printf 'P5 8 8 255\n'; head -c 64 /dev/zero; } >black.pgm
try() {
  sentence=$1
  shift
  expect 1 edit "$@" -o x
  grep -qx "vq-sample: $sentence" err || fail "says: $(cat err)"
  [ ! -e x ] || fail "left a file"
}
try 'black.pgm: has no pixel brighter than middle grey: it frees no cell' --mask black.pgm
try 'missing.png: cannot open: No such file or directory' --mask missing.png
