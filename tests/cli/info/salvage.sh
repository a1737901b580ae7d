# --salvage -o: what is whole becomes a good file whose history says so; the damage is named, and the status is 1.
. "$TESTS/cli/help.sh"
cp "$TESTS/golden/token-grid-v1/failed/frame-checksum-wrong.vqt" bad.vqt
expect 1 vq-info --salvage -o good.vqt bad.vqt
cat err
vq-info --verify good.vqt
vq-info --text good.vqt | cut -f 1 | grep -v '^#'
vq-info good.vqt | grep history
