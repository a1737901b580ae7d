# Pairs are compared at their own sizes, which have to be alike unless --size says another.
. "$TESTS/cli/help.sh"
mkdir a b c
printf 'P6\n2 1\n255\n\001\002\003\004\005\006' >a/p.ppm
printf 'P6\n2 1\n255\n\002\003\004\005\006\007' >b/p.ppm
printf 'P6\n1 1\n255\n\002\003\004' >c/p.ppm
expect 0 vq-eval -q --metrics recon a b
# One grey level everywhere is 20 log10 255 dB.
grep -q '"metric":"recon","value":48.1308' out || fail "$(cat out)"
grep -q '"preprocessing":"as they are"' out || fail "$(cat out)"
expect 1 vq-eval -q --metrics recon a c
prefixed vq-eval
grep -q "c: picture 'p' is 1 x 1 pixels, and in a 2 x 1" err || fail "$(cat err)"
expect 0 vq-eval -q --metrics recon --size 16 a c
grep -q '"preprocessing":"16 x 16"' out || fail "$(cat out)"
