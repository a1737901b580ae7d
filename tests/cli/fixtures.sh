# Made once, in the current folder, before the tests: what some of them need and none of them changes.
#   pictures/          twelve small PPM pictures, and captions.jsonl over them
#   codec.safetensors  a codec trained for a few steps           (needs vq-train)
#   tokens.vqt         those pictures as tokens                  (needs vq-encode)
#   model.safetensors  a diffusion model trained for a few steps (needs vq-train)
#   taming.safetensors, checkpoint.safetensors, captions.safetensors, tower.safetensors, merges.txt
#                      other people's codec, models, text tower and vocabulary (import_sources.py)
# A program that is not built leaves its file out; tests that need it are skipped with that reason.
# A program that fails leaves it out as well, and says why in FILE.log.

mkdir pictures
number=0
for red in 40 120 200; do
  for green in 60 180; do
    for blue in 30 220; do
      number=$((number + 1))
      awk -v r=$red -v g=$green -v b=$blue 'BEGIN {
        printf "P3\n32 32\n255\n"
        for (y = 0; y < 32; y++) for (x = 0; x < 32; x++) {
          inside = (x - 16) * (x - 16) + (y - 16) * (y - 16) < 90
          if (inside) printf "%d %d %d\n", r, g, b; else printf "%d %d %d\n", 8 * x, 8 * y, 128
        } }' >p3
      # P3 -> P6 without a converter: the header, then every number as a byte.
      { printf 'P6\n32 32\n255\n'
        tail -n +4 p3 | tr ' ' '\n' | awk '{ printf "\\%03o", $1 }' | {
          IFS= read -r bytes
          printf "$bytes"
        }
      } >pictures/p$number.ppm
      echo "{\"image\":\"p$number.ppm\",\"caption\":\"disc $red $green $blue\"}" >>pictures/captions.jsonl
    done
  done
done
rm -f p3

have() { command -v "$1" >/dev/null; }

if have vq-train; then
  vq-train codec pictures/captions.jsonl -o codec.safetensors --size tiny --steps 4 -b 4 \
    --image-size 32 --codes 16 >codec.log 2>&1 || rm -f codec.safetensors
fi
if have vq-encode && [ -e codec.safetensors ]; then
  vq-encode -m codec.safetensors pictures/captions.jsonl -o tokens.vqt >tokens.log 2>&1 ||
    rm -f tokens.vqt
fi
if have vq-train && [ -e tokens.vqt ]; then
  vq-train diffusion tokens.vqt -o model.safetensors --size tiny --steps 4 -b 4 >model.log 2>&1 ||
    rm -f model.safetensors
fi
# Other people's checkpoints need Python, and nothing of it but itself.
if have python3; then
  python3 "$TESTS/cli/import_sources.py" >import.log 2>&1 || rm -f taming.safetensors checkpoint.safetensors \
    captions.safetensors tower.safetensors
fi
exit 0
