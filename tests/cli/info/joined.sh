# A stream that may hold [mask] behind one that may not: every record is passed on, as text and as binary.
. "$TESTS/cli/help.sh"
printf 'a\t1x2:4:\t0 1\t{}\nb\t1x2:4:\t2 3\t{}\n' | vq-info -o plain.vqt - || exit 1
printf 'c\t1x2:4_:\t0 _\t{}\n' | vq-info -o masked.vqt - || exit 1
cat plain.vqt masked.vqt | vq-info --text >joined.txt || exit 1
cut -f 1-3 joined.txt | grep -v '^#'
vq-info -o joined.vqt joined.txt || exit 1
vq-info --text joined.vqt | cmp joined.txt - || exit 1
vq-info -f streams joined.vqt
vq-info -f masked joined.vqt
