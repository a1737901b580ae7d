#!/bin/sh
# peers-venv.sh BUILD: makes BUILD/parity-venv with the Python programs that measure pictures, unless it is there, and
# prints its Python. Status 1 with a sentence when that fails.
set -u
build=$1
venv=$build/parity-venv log=$build/parity-setup.log python=$1/parity-venv/bin/python
torch='torch==2.11.0 torchvision==0.26.0'
peers='pytorch-fid==0.3.0 clean-fid==0.1.35 torch-fidelity==0.4.0 prdc==0.2 lpips==0.1.4'
others='numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 scikit-image==0.26.0 pillow==13.0.0 transformers==4.57.1 tqdm requests'
loads='import torch, torchvision, pytorch_fid.fid_score, cleanfid.resize, torch_fidelity, prdc, lpips, sklearn, skimage, transformers'

fail() {
  echo "parity: $*" >&2
  exit 1
}
step() {
  echo "parity: $1" >&2
  shift
  "$@" >>"$log" 2>&1 </dev/null || fail "failed: $*; the whole story is in $log"
}
pip() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

if [ "$(cat "$venv/complete" 2>/dev/null)" != "$torch $peers $others" ]; then
  : >"$log"
  rm -rf "$venv"
  base=/usr/bin/python3
  "$base" -c 'import ensurepip, venv' 2>/dev/null || base=python3
  step "makes $venv" "$base" -m venv "$venv"
  step 'fetches torch and torchvision (3 GB)' pip --only-binary=:all: $torch
  step 'fetches numpy, scipy, scikit-learn and scikit-image' pip --only-binary=:all: $others
  step 'fetches pytorch-fid, clean-fid, torch-fidelity, prdc and lpips' pip --no-deps $peers
  step 'loads them' "$python" -c "$loads"
  echo "$torch $peers $others" >"$venv/complete"
fi
echo "$python"
