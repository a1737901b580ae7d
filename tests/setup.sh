#!/bin/sh
# Gets what the build needs: Debian packages and LibTorch. Run again, it only looks. See --help.
set -u
cd "$(dirname "$0")/.." || exit 1

usage() {
  cat <<'T'
usage: sh tests/setup.sh [--all]

Installs, where missing, the Debian 12 packages of the build (as root or through sudo) and LibTorch (the
PyPI wheel, into build/libtorch). On another system it names what is missing and stops, status 1.

  --all   also what `sh tests/run.sh --all` needs (clang, numpy)

A LibTorch of your own wins: name its folder in LIBTORCH, Torch_DIR or CMAKE_PREFIX_PATH.
VQ_CUDA=1 or VQ_CUDA=0 installs the CUDA libraries or leaves them out; by default a device decides.
T
}

packages='g++ cmake make ninja-build ca-certificates libarchive-dev libcxxopts-dev libfmt-dev libgtest-dev
  libicu-dev libjpeg62-turbo-dev libpng-dev libsentencepiece-dev libwebp-dev libzstd-dev nlohmann-json3-dev zstd groff-base
  python3 python3-zstandard'
for arg in "$@"; do
  case $arg in
    --all) packages="$packages clang python3-numpy" ;;
    -h | --help) usage; exit 0 ;;
    *) echo "setup: $arg: unknown option; try --help" >&2; exit 2 ;;
  esac
done

torch='torch==2.11.0'
runtime='nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85' # libtorch_cpu itself links these two
home=build/libtorch
part=build/libtorch.$$.part
log=build/setup.log
mkdir -p build && : >$log || exit 1

say() { echo "setup: $*"; }
fail() {
  echo "setup: $*" >&2
  exit 1
}

# Runs a step with no stdin, its output in the log: step NAME COMMAND...
step() {
  name=$1
  shift
  say "$name"
  echo "== $name: $*" >>$log
  if ! "$@" >>$log 2>&1 </dev/null; then
    tail -n 5 $log | sed 's/^/setup:   /' >&2
    fail "failed: $name; the whole story is in $log"
  fi
}

# Prints the folder of a LibTorch that one of the places names, in any of the layouts that FindLibTorch takes.
find_libtorch() {
  for place in "$@"; do
    for folder in "$place" "$place/torch" "$place/libtorch" "$place/../.." "$place/../../.."; do
      if [ -n "$place" ] && [ -e "$folder/lib/libtorch_cpu.so" ] && [ -e "$folder/include/ATen/ATen.h" ]; then
        (cd "$folder" && pwd)
        return 0
      fi
    done
  done
  return 1
}

has_gpu() {
  case ${VQ_CUDA-} in
    1) return 0 ;;
    0) return 1 ;;
  esac
  [ -e /dev/nvidia0 ] || [ -n "$(ls -A /proc/driver/nvidia/gpus 2>/dev/null)" ] ||
    nvidia-smi -L >/dev/null 2>&1
}

# ---- whose LibTorch?

cached=$(sed -n 's/^LIBTORCH:[A-Z]*=//p' build/CMakeCache.txt 2>/dev/null)
IFS=':;'
own=$(find_libtorch "${LIBTORCH-}" "$cached" ${Torch_DIR-} ${CMAKE_PREFIX_PATH-})
unset IFS
if [ -n "${LIBTORCH-}" ] && ! find_libtorch "$LIBTORCH" >/dev/null; then
  fail "LIBTORCH=$LIBTORCH holds no LibTorch (torch/lib/libtorch_cpu.so or lib/libtorch_cpu.so)"
fi

want=cpu
if has_gpu; then want=cuda; fi
have=$(cat $home/complete 2>/dev/null)
fetch=yes
case "$have" in
  "$torch $want" | "$torch cuda") fetch=no ;;
esac
if [ -n "$own" ]; then fetch=no; fi
if [ $fetch = yes ]; then packages="$packages python3-pip"; fi

# ---- packages

# True when a C++ program that includes the header compiles.
has_header() {
  printf '#include <cstdio>\n#include <%s>\n' "$1" | c++ -std=c++20 -x c++ -fsyntax-only - >>$log 2>&1
}

# Elsewhere than on Debian 12 nothing is installed: names what is not there and stops.
check_other_system() {
  missing=
  for tool in c++ cmake zstd groff; do
    command -v $tool >/dev/null || missing="$missing $tool"
  done
  command -v ninja >/dev/null || command -v make >/dev/null || missing="$missing ninja"
  if [ $fetch = yes ]; then
    python3 -m pip --version >>$log 2>&1 || missing="$missing python3-pip"
  fi
  if command -v c++ >/dev/null; then
    for pair in archive.h=libarchive cxxopts.hpp=cxxopts fmt/core.h=fmt gtest/gtest.h=googletest unicode/uchar.h=icu jpeglib.h=libjpeg-turbo \
      png.h=libpng sentencepiece_trainer.h=sentencepiece webp/demux.h=libwebp zstd.h=zstd nlohmann/json.hpp=nlohmann-json; do
      has_header "${pair%=*}" || missing="$missing ${pair#*=}"
    done
  else
    missing="$missing (and, not checked without a compiler: libarchive cxxopts fmt googletest icu libjpeg-turbo libpng
      sentencepiece libwebp zstd nlohmann-json)"
  fi
  if [ -n "$missing" ]; then
    fail "this is not Debian 12; please install:" $missing
  fi
}

is_debian_12() {
  (. /etc/os-release && [ "$ID" = debian ] && [ "$VERSION_ID" = 12 ]) 2>/dev/null
}

if is_debian_12; then
  missing=
  for package in $packages; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
      'install ok installed') ;;
      *) missing="$missing $package" ;;
    esac
  done
  if [ -n "$missing" ]; then
    sudo=
    if [ "$(id -u)" != 0 ]; then
      command -v sudo >/dev/null || fail "not root and no sudo; as root: apt-get install$missing"
      sudo=sudo
    fi
    step "reads the package lists" $sudo apt-get update
    step "installs$missing" $sudo env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold $missing
  fi
else
  check_other_system
fi

# ---- LibTorch

python=/usr/bin/python3
$python -m pip --version >/dev/null 2>&1 || python=python3
pip() {
  PIP_ROOT_USER_ACTION=ignore $python -m pip install --quiet --no-compile --only-binary=:all: --no-cache-dir \
    --disable-pip-version-check --target $part "$@"
}

if [ $fetch = yes ]; then
  space=$(df -Pk build | awk 'NR == 2 { print int($4 / 1048576) }')
  needed=3
  if [ $want = cuda ]; then needed=8; fi
  if [ "$space" -lt $needed ]; then fail "LibTorch needs $needed GiB in build/ while it installs; $space are free"; fi

  # The folder gets its name only when it is whole, so an interrupted run is never believed.
  rm -rf build/libtorch.*.part
  if [ $want = cuda ]; then
    step "fetches $torch (0.5 GB)" pip --no-deps $torch
    libraries=$(sed -n 's/^Requires-Dist: \(\(nvidia-\|cuda-toolkit\)[^; ]*\).*/\1/p' \
      $part/torch-*.dist-info/METADATA)
    step "fetches its CUDA libraries (2 GB)" pip $libraries
  else
    step "fetches $torch (0.5 GB)" pip --no-deps $torch $runtime
  fi
  find_libtorch $part >/dev/null || fail "failed: the wheel of $torch holds no libtorch_cpu.so; see $log"
  echo "$torch $want" >$part/complete
  rm -rf $home
  mv $part $home || exit 1
fi
say "ready, LibTorch in ${own:-$home}"
