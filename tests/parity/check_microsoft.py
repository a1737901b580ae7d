"""Does PyTorch load what vq-import --to microsoft wrote, and is it what the checkpoint it came from was?

  python check_microsoft.py FIXTURE VQ_IMPORT PLACE

Each checkpoint of FIXTURE (make_microsoft.py's) is imported and exported into PLACE. The exported files are read as
the original reads its own, without anything but tensors in the pickle. Their names have to be the fixture's, no more
and no fewer; weights that were imported (the moving average where there is one) have to be the same bits; the
schedule's buffers the same numbers; and make_microsoft.py's arithmetic has to give with them what it gave.
"""

import json
import os
import subprocess
import sys

import torch
from safetensors.torch import load_file

import make_microsoft as peer

# States of training, and what nothing reads: made anew, of the same shape and type.
MADE = ("Lt_history", "Lt_count", "attn2.mask", "text_projection", "cluster_size", "embedding_avg")
LARGEST = 1e-6  # of what the networks give: the same weights, the same arithmetic


def load(path):
    return torch.load(path, map_location="cpu", weights_only=True)


def run(program, *arguments):
    done = subprocess.run([program, "-q", *arguments], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: {done.stderr}")


def options_of(what, fixture):
    given, options = what["options"], []
    for name in ("heads", "text_heads", "groups", "null", "code_subset", "vocabulary"):
        value = given.get(name)
        if value:
            value = os.path.join(fixture, value) if name == "code_subset" else str(value)
            options += ["--" + name.replace("_", "-"), value]
    return options


def compare(where, ours, theirs):
    """Counts the tensors that are the same bits; ends the program where one is not what it has to be."""
    missing, more = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    if missing or more:
        sys.exit(f"{where}: missing: {missing[:8]}, more: {more[:8]}")
    same = 0
    for name, tensor in theirs.items():
        mine = ours[name]
        if mine.shape != tensor.shape or mine.dtype != tensor.dtype:
            sys.exit(f"{where}: {name} is {mine.dtype} {tuple(mine.shape)}, not {tensor.dtype} {tuple(tensor.shape)}")
        if name.split(".")[-1].startswith("log_"):
            if not torch.allclose(mine, tensor, rtol=1e-6, atol=1e-9):
                sys.exit(f"{where}: {name} is another schedule")
        elif not any(part in name for part in MADE):
            if not torch.equal(mine, tensor):
                sys.exit(f"{where}: {name} is not what it was")
            same += 1
    return same


def part(tensors, *prefixes):
    """What lies under one of the prefixes, without it."""
    return {n[len(p) :]: t for p in prefixes for n, t in tensors.items() if n.startswith(p)}


def differences(name, what, codec, subset, refs, model=None):
    """Largest differences of log p(x_0), decoded pictures, and the number of other tokens."""
    ref = lambda key: refs.get(f"{name}.{key}")
    grid, off = what["grid"], {}
    if model is not None:
        given = peer.denoise(model, what["kind"], what["options"]["heads"], grid, ref("x_t"), ref("t"), ref("label"),
                             ref("context"))
        off["log p(x_0)"] = (torch.log_softmax(given.double(), 2).float() - ref("log_p")).abs().max().item()
    decoded = peer.decode(codec, ref("codec.tokens"), grid, subset)
    off["decoded"] = (decoded - ref("codec.decoded")).abs().max().item()
    encoded = peer.encode(codec, ref("codec.images"), subset)
    off["other tokens"] = (encoded != ref("codec.encoded")).sum().item()
    return off


def check(what, fixture, refs, program, place):
    name = what["name"]
    source, folder = os.path.join(fixture, name + ".pth"), os.path.join(place, name)
    model, codec = (os.path.join(place, name + end) for end in (".model", ".codec"))
    options = options_of(what, fixture)
    content = load(source)
    if what["has_model"]:
        run(program, *options, source, "-o", model, "--codec-out", codec)
        run(program, "--to", "microsoft", model, "--codec", codec, "-o", folder)
        theirs = dict(content["model"])
        theirs.update(("transformer." + n, t) for n, t in content.get("ema", {}).items())
        ours = load(os.path.join(folder, "model.pth"))["model"]
        counts = f"{len(ours)} names, {compare(name, ours, theirs)} tensors the same"
        network = part(ours, "transformer.")
        halves = part(ours, "content_codec.enc.", "content_codec.dec.")
    else:
        run(program, *options, source, "-o", codec)
        run(program, "--to", "microsoft", codec, "-o", folder)
        counts, network, halves = "", None, None
    alone = load(os.path.join(folder, "codec.pth"))
    alone = alone.get("state_dict", alone.get("model"))
    if halves is None:
        theirs = content.get("state_dict", content.get("model"))
        first = part(theirs, "first_stage_model.") or theirs
        first = {n: t for n, t in first.items() if not n.startswith("loss.")}
        counts = f"{len(alone)} names, {compare(name, alone, first)} tensors the same"
    else:
        compare(name + ", codec.pth", alone, halves)
    subset = os.path.join(folder, "code_subset.pt")
    subset = load(subset) if os.path.exists(subset) else None
    if (subset is None) != ("code_subset" not in what["options"]):
        sys.exit(f"{name}: code_subset.pt is there without one, or is not")
    off = differences(name, what, alone, subset, refs, network)
    if max(off.values()) > LARGEST:
        sys.exit(f"{name}: {off}")
    print(f"{name}: {counts}; " + ", ".join(f"{key} {value:.2g}" for key, value in off.items()))


def main():
    fixture, program, place = sys.argv[1:]
    with open(os.path.join(fixture, "microsoft.json")) as file:
        checkpoints = json.load(file)["checkpoints"]
    refs = load_file(os.path.join(fixture, "refs.safetensors"))
    with torch.no_grad():
        for what in checkpoints:
            check(what, fixture, refs, program, place)


if __name__ == "__main__":
    main()
