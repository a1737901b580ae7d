#!/bin/sh
# From an empty machine to pictures for captions: installs, builds, and runs the whole pipe. See --help.
set -eu

usage() {
  cat <<'T'
usage: sh examples/quickstart.sh [--long] [OUT]

Installs what is missing, builds, then in about ten minutes on two cores: draws captioned pictures, trains a codec,
encodes them, trains a diffusion model on the tokens, samples, decodes and judges. Everything is left in OUT
(default: out), above all
  OUT/sheet.png     prompts under their pictures
  OUT/results.json  the numbers: reconstruction, caption accuracy, Frechet distance, seconds of each stage

IMAGES=DIR-or-FILE.jsonl takes your own pictures instead of drawn ones: a folder, a folder of class folders, or JSON
lines with "image" and "caption" or "label". SIZE=N makes them N x N pixels (default 32).

  --long  trains for an hour instead of five and a half minutes
T
}

long= out=out
for arg in "$@"; do
  case $arg in
    --long) long=yes ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "quickstart: $arg: unknown option; try --help" >&2; exit 2 ;;
    *) out=$arg ;;
  esac
done

root=$(cd "$(dirname "$0")/.." && pwd)
case ${IMAGES-} in '' | /*) ;; *) IMAGES=$PWD/$IMAGES ;; esac
sh "$root/tests/run.sh" --build-only
PATH=$root/build/bin:$root/build/bin/examples:$PATH
mkdir -p "$out"
cd "$out"
rm -f codec.log model.log

size=${SIZE:-32}
if [ -n "$long" ]; then codec_seconds=300 codec_warmup=1000 model_seconds=3000
else codec_seconds=60 codec_warmup=200 model_seconds=270; fi

# ---- stages: each is timed, and its numbers are collected as members of results.json

results= began=$(date +%s) started=$(date +%s)
stage() {
  echo "quickstart: $*"
  began=$(date +%s)
}
took() { results="$results, \"$1\": $(($(date +%s) - began))"; }
keep() { results="$results, \"$1\": $2"; }

# ---- pictures

if [ -n "${IMAGES-}" ]; then
  pictures=$IMAGES heldout=$IMAGES
else
  stage "drawing 40,000 pictures with captions, and 2,048 others to judge by"
  rm -rf drawn heldout
  draw-shapes --count 40000 --seed 1 -o drawn
  draw-shapes --count 2048 --seed 2 --objects one -o heldout
  pictures=drawn/captions.jsonl heldout=heldout/captions.jsonl
  took seconds_draw
fi

# ---- the five programs

stage "training a codec for $codec_seconds s"
vq-train codec "$pictures" -o codec.safetensors --force --size tiny --image-size "$size" \
  --max-seconds $codec_seconds --warmup $codec_warmup --log codec.log
took seconds_train_codec

stage "encoding"
vq-encode -m codec.safetensors "$pictures" -o train.vqt --force
took seconds_encode
vq-info train.vqt

stage "training a diffusion model for $model_seconds s"
vq-train diffusion train.vqt -o model.safetensors --force --size tiny --text-layers 1 --text-width 64 --batch 64 \
  --optimiser muon --learning-rate 2e-3 --rate-shape linear --auxiliary-weight 1 --max-seconds $model_seconds \
  --suggest-guidance 2 --suggest-top-p 0.9 --suggest-steps 32 --log model.log
took seconds_train_diffusion

stage "how much the codec keeps"
codec=$(vq-eval --metrics recon -m codec.safetensors "$heldout")
keep codec "$codec"
took seconds_codec_eval

# sample PROMPTS NAME OPTION...: samples and decodes into the folder NAME
sample() {
  prompts=$1 name=$2
  shift 2
  rm -rf "$name"
  if [ ! -s "$prompts" ]; then set -- "$@" -n 256; else set -- "$@" "$prompts"; fi
  vq-sample -m model.safetensors --batch 64 "$@" | vq-decode -m codec.safetensors -o "$name/"
}

if [ -n "${IMAGES-}" ]; then
  stage "sampling what the data set is about: its captions, its classes, or just pictures"
  vq-info --text train.vqt | sed -n 's/.*"caption":"\([^"]*\)".*/\1/p' | sort -u | head -n 256 >prompts.txt
  if [ ! -s prompts.txt ]; then
    vq-info --text train.vqt | sed -n 's/.*"label":\([0-9]*\).*/\1/p' | head -n 256 >prompts.txt
  fi
  sample prompts.txt samples
  took seconds_sample
else
  stage "sampling 512 captions of one object and 512 of two, with and without guidance"
  draw-shapes --captions-only --objects one --count 512 --seed 3 >one.txt
  draw-shapes --captions-only --objects two --count 512 --seed 4 >two.txt
  sample one.txt one
  sample two.txt two
  sample one.txt one-unguided --guidance 1
  sample two.txt two-unguided --guidance 1
  took seconds_sample

  stage "looking at the pixels: do the pictures obey their captions?"
  rm -rf reconstructed
  vq-encode -m codec.safetensors "$heldout" | vq-decode -m codec.safetensors -o reconstructed/
  keep accuracy "{\"one\": $(check-shapes one/captions.jsonl), \"two\": $(check-shapes two/captions.jsonl)\
, \"one_unguided\": $(check-shapes one-unguided/captions.jsonl), \"two_unguided\": $(check-shapes two-unguided/captions.jsonl)\
, \"reconstructed\": $(check-shapes reconstructed/captions.jsonl), \"drawn\": $(check-shapes heldout/captions.jsonl)}"
fi

stage "how far the samples are from real pictures"
if [ -n "${IMAGES-}" ]; then fakes=samples; else fakes=one; fi
keep frechet "$(vq-eval --metrics fid -m codec.safetensors "$heldout" "$fakes")"
took seconds_eval

# ---- the picture

if [ -n "${IMAGES-}" ]; then cp prompts.txt sheet.txt; else
  draw-shapes --captions-only --objects one --count 16 --seed 5 >sheet.txt
  draw-shapes --captions-only --objects two --count 16 --seed 6 >>sheet.txt
fi
head -n 32 sheet.txt >sheet-prompts.txt
rm -rf sheet
if [ -s sheet-prompts.txt ]; then set -- sheet-prompts.txt; else set -- -n 32; fi
vq-sample -m model.safetensors --batch 32 "$@" |
  vq-decode -m codec.safetensors --sheet sheet.png --columns 8 --scale $((96 / size > 1 ? 96 / size : 1)) --force -o sheet/

results="{\"seconds_total\": $(($(date +%s) - started))$results}"
echo "$results" >results.json
echo "quickstart: done in $(($(date +%s) - started)) s after the build: $out/sheet.png, $out/results.json"
