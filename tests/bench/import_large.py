"""Imports a checkpoint of the largest released size, beside cp: time and memory.

  python3 import_large.py --programs BIN --vocabulary MERGES --place DIR [--layers N] [--width D]

Writes a checkpoint in the layout of ithq_learnable.pth (36 layers of 1408: 1.36 thousand million numbers; as
safetensors, with random bytes for weights) into DIR, copies it with cp and imports it, each until the bytes are on the
disk, and says how long both took and how much memory vq-import had to itself (what it maps of the file is the
system's). DIR needs three times the checkpoint's size (5.7 GB); all of it is removed again.
"""

import argparse
import json
import os
import struct
import subprocess
import time


def layout(layers, width, codes=4096, side=32, text=512, text_layers=12):
    shapes = {}

    def linear(name, after, before):
        shapes[name + ".weight"], shapes[name + ".bias"] = [after, before], [after]

    def norm(name, size):
        shapes[name + ".weight"], shapes[name + ".bias"] = [size], [size]

    def adaptive(name):
        shapes[name + ".emb.weight"] = [100, width]
        linear(name + ".linear", 2 * width, width)

    shapes["empty_text_embed"] = [77, text]
    clip = "condition_emb."
    shapes[clip + "token_embedding.weight"] = [49408, text]
    shapes[clip + "positional_embedding"], shapes[clip + "text_projection"] = [77, text], [text, text]
    norm(clip + "ln_final", text)
    for i in range(text_layers):
        layer = clip + f"transformer.resblocks.{i}."
        shapes[layer + "attn.in_proj_weight"], shapes[layer + "attn.in_proj_bias"] = [3 * text, text], [3 * text]
        linear(layer + "attn.out_proj", text, text)
        linear(layer + "mlp.c_fc", 4 * text, text)
        linear(layer + "mlp.c_proj", text, 4 * text)
        norm(layer + "ln_1", text)
        norm(layer + "ln_2", text)
    content = "transformer.content_emb."
    shapes[content + "emb.weight"] = [codes + 1, width]
    shapes[content + "height_emb.weight"] = shapes[content + "width_emb.weight"] = [side, width]
    for i in range(layers):
        block = f"transformer.blocks.{i}."
        adaptive(block + "ln1")
        adaptive(block + "ln1_1")
        norm(block + "ln2", width)
        for part in ("key", "query", "value", "proj"):
            linear(block + "attn1." + part, width, width)
            linear(block + "attn2." + part, width, text if part in ("key", "value") else width)
        shapes[block + "attn2.mask"] = [1, 1, side * side, side * side]
        linear(block + "mlp.0", 4 * width, width)
        linear(block + "mlp.2", width, 4 * width)
    norm("transformer.to_logits.0", width)
    linear("transformer.to_logits.1", codes, width)
    return {"ema." + name: shape for name, shape in shapes.items()}


def write(path, shapes):
    header, at = {}, 0
    for name, shape in shapes.items():
        count = 4
        for side in shape:
            count *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header).encode()
    block = os.urandom(1 << 26)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for begin in range(0, at, len(block)):
            file.write(block[: min(len(block), at - begin)])
        os.fsync(file.fileno())
    return at


def own_memory(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return 0


def timed(command, out):
    began, most = time.monotonic(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        most = max(most, own_memory(process.pid))
        time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    with open(out, "rb+") as file:
        os.fsync(file.fileno())
    return time.monotonic() - began, most / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--place", required=True)
    parser.add_argument("--layers", type=int, default=36)
    parser.add_argument("--width", type=int, default=1408)
    args = parser.parse_args()
    source, copy, ours = (os.path.join(args.place, name) for name in ("large.in", "large.copy", "large.safetensors"))
    try:
        size = write(source, layout(args.layers, args.width))
        print(f"checkpoint: {size / 1e9:.2f} GB")
        seconds, _ = timed(["cp", source, copy], copy)
        print(f"cp: {seconds:.1f} s")
        os.remove(copy)
        command = [os.path.join(args.programs, "vq-import"), source, "-o", ours, "--vocabulary", args.vocabulary]
        seconds, memory = timed(command, ours)
        print(f"vq-import: {seconds:.1f} s, {memory:.0f} MiB of its own, {os.path.getsize(ours) / 1e9:.2f} GB written")
    finally:
        for path in (source, copy, ours):
            if os.path.exists(path):
                os.remove(path)


if __name__ == "__main__":
    main()
