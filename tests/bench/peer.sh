# Python with the peer in it, at the first use: sourced with `program` (for messages), `build` (the build tree) and a
# function fail MESSAGE that ends the script. Then `peer_python SCRIPT ...` runs it. It lives in BUILD/bench-venv; Python's
# packages come from PyPI.
diffusers='diffusers==0.35.2' # later ones may drop VQ-Diffusion, which is deprecated
transformers='transformers==4.57.1'
torch='torch==2.11.0'
pillow='pillow==13.0.0'
accelerate='accelerate==1.10.1' # with which from_pretrained is at its best
venv=$build/bench-venv
log=$build/bench-setup.log
python=$venv/bin/python

step() {
  echo "$program: $1" >&2
  shift
  "$@" >>"$log" 2>&1 </dev/null || {
    tail -n 5 "$log" | sed "s/^/$program:   /" >&2
    fail "failed: $*; the whole story is in $log"
  }
}
pip() { "$python" -m pip install --quiet --only-binary=:all: --disable-pip-version-check "$@"; }

# The wheel that our side is linked to serves the peer as well where Python can load it: then both run the same library.
# Its CUDA libraries are needed to load it, not to run anything.
libtorch=$(ldd "$build/lib/libvq.so" | sed -n 's|.*=> \(.*\)/torch/lib/libtorch_cpu\.so .*|\1|p')
metadata=$(ls "$libtorch"/torch-*.dist-info/METADATA 2>/dev/null)
peer_python() {
  LD_LIBRARY_PATH=$(ls -d "$venv"/lib/python3*/site-packages/nvidia/*/lib 2>/dev/null | tr '\n' ':')${LD_LIBRARY_PATH-} \
    "$python" "$@"
}

if [ "$(cat "$venv/complete" 2>/dev/null)" != "$diffusers $transformers $pillow $torch $libtorch" ]; then
  : >"$log"
  rm -rf "$venv"
  base=/usr/bin/python3 # whose version the wheel was chosen for
  "$base" -c 'import ensurepip, venv' 2>/dev/null || base=python3
  "$base" -c 'import ensurepip, venv' 2>/dev/null || fail "Python has no venv (Debian: apt-get install python3-venv)"
  step "makes $venv" "$base" -m venv "$venv"
  step "fetches $diffusers, $pillow" pip "$diffusers" "$transformers" "$pillow" numpy
  if [ -n "$metadata" ]; then
    for folder in "$venv"/lib/python3*/site-packages; do echo "$libtorch" >"$folder/unpacked_torch.pth"; done
    own=$(sed -n 's/^Requires-Dist: \([^; ]*\)$/\1/p' "$metadata")
    step "fetches what torch needs of Python" pip $own
    if ! peer_python -c 'import torch' >>"$log" 2>&1; then
      cuda=$(sed -n 's/^Requires-Dist: \(\(nvidia-\|cuda-toolkit\)[^; ]*\).*/\1/p' "$metadata")
      step "fetches the CUDA libraries that torch loads (2 GB)" pip $cuda
    fi
  fi
  if ! peer_python -c 'import torch' >>"$log" 2>&1; then
    rm -f "$venv"/lib/python3*/site-packages/unpacked_torch.pth
    step "fetches $torch (3 GB)" pip "$torch"
  fi
  step "loads it" peer_python -c 'import diffusers, transformers, torch'
  echo "$diffusers $transformers $pillow $torch $libtorch" >"$venv/complete"
fi

if ! "$python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("accelerate"))'; then
  step "fetches $accelerate" pip --no-deps "$accelerate" psutil # what else it needs is here, torch perhaps only unpacked
fi
