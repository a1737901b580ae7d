# CSV, TSV, COCO and CUB: the same pictures give the same tokens, with what each spelling says of them.
. "$TESTS/cli/help.sh"
need codec.safetensors
encode() { expect 0 vq-encode -m "$FIXTURES/codec.safetensors" "$@"; }
keys() { vq-info --text "$1" | grep -v '^#' | cut -f 1 | tr '\n' ' '; }
has() { vq-info --text "$1" | grep -q -e "$2" || fail "no $2 in: $(vq-info --text "$1")"; }

mkdir images
cp "$FIXTURES/pictures/p1.ppm" "$FIXTURES/pictures/p2.ppm" images

printf 'image,caption,label\r\nimages/p1.ppm,"red, dark",owl\r\nimages/p2.ppm,blue,crow\r\n' >list.csv
encode list.csv -o csv.vqt
has csv.vqt '"caption":"red, dark","label":1'
encode --format csv -o stdin.vqt <list.csv
[ "$(keys csv.vqt)" = "$(keys stdin.vqt)" ] || fail "other keys from standard input: $(keys stdin.vqt)"
printf 'image\tcaption\nimages/p1.ppm\tone\nimages/p1.ppm\ttwo\n' >list.tsv
encode list.tsv -o tsv.vqt
has tsv.vqt '"captions":\["one","two"\]'
printf 'image,caption\nimages/p1.ppm,a,b\n' >bad.csv
expect 1 vq-encode -m "$FIXTURES/codec.safetensors" bad.csv -o bad.vqt
grep -q '^vq-encode: bad.csv: line 2: has 3 fields, but the first line names 2$' err || fail "$(cat err)"

mkdir coco coco/annotations coco/images
cp -r images coco/images/val2017
cat >coco/annotations/captions_val2017.json <<'T'
{"images":[{"id":1,"file_name":"p1.ppm"},{"id":2,"file_name":"p2.ppm"}],"annotations":[
{"id":8,"image_id":2,"caption":"late"},{"id":3,"image_id":2,"caption":"early"}]}
T
encode coco -o coco.vqt
has coco.vqt '"captions":\["early","late"\],"image_id":2'
[ "$(keys coco.vqt)" = 'p2 ' ] || fail "not the one image that has captions: $(keys coco.vqt)"

mkdir -p cub/images/001.Owl cub/text/001.Owl
cp images/*.ppm cub/images/001.Owl
printf '1 001.Owl/p1.ppm\n2 001.Owl/p2.ppm\n' >cub/images.txt
printf '1 1\n2 1\n' >cub/image_class_labels.txt
printf '1 1\n2 0\n' >cub/train_test_split.txt
echo 'an owl' | tee cub/text/001.Owl/p1.txt >cub/text/001.Owl/p2.txt
encode --split test cub -o cub.vqt
has cub.vqt '"caption":"an owl","label":0'
[ "$(keys cub.vqt)" = '001.Owl/p2 ' ] || fail "not the one test picture: $(keys cub.vqt)"
expect 1 vq-encode -m "$FIXTURES/codec.safetensors" --split test images -o bad.vqt
grep -q 'only CUB-200-2011 comes with a split' err || fail "$(cat err)"
exit 0
