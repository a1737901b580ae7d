#!/usr/bin/env python3
"""Token grids for Python: a numpy array N x H x W, the keys and the JSON of each grid; and back.

usage: read_tokens.py TOKENS              says what is in there
       read_tokens.py TOKENS GRIDS.npz    as arrays: tokens (int32), keys, json, header
       read_tokens.py GRIDS.npz TOKENS    back: into a token grid where TOKENS ends with .vqt, else as text, which every
                                          program takes where it takes tokens

Needs numpy, and vq-info in PATH, which checks the file and turns it into text. [mask] is the token K (the number of
codes). As a module: header, keys, tokens, more = read(path) and write(file, header, keys, tokens, more).
"""
import json
import subprocess
import sys
import numpy as np


def read(path):
    """Gives the header (a dict), N keys, N x H x W int32 and N dicts."""
    with subprocess.Popen(["vq-info", "--text", "--", path], stdout=subprocess.PIPE,
                          encoding="utf-8", errors="surrogateescape") as info:
        header = json.loads(info.stdout.readline()[1:] or "{}")
        mask = str(header.get("codebook_size"))
        keys, rows, more = [], [], []
        for line in info.stdout:
            key, _, tokens, members = line.rstrip("\n").split("\t")
            keys.append(key)
            rows.append(np.array(tokens.replace("_", mask).split(" "), np.int32))
            more.append(json.loads(members))
    if info.returncode != 0:
        sys.exit(1)  # vq-info has said why
    return header, keys, np.array(rows, np.int32).reshape(-1, header["height"], header["width"]), more


def write(file, header, keys, tokens, more):
    """Writes the text spelling into a file open for bytes."""
    N, H, W = tokens.shape
    K, codec = header["codebook_size"], header.get("codec", "")
    masked = bool((tokens == K).any())
    if tokens.size and not 0 <= tokens.min() <= tokens.max() <= K:
        raise ValueError(f"tokens must be 0..{K - 1}, or {K} for [mask]")
    if not len(keys) == len(more) == N:
        raise ValueError("there must be as many keys and dicts as grids")
    header = {"format": "vq-token-grid", "version": 1, **header, "height": H, "width": W}
    header["mask"] = masked or header.get("mask", False)
    column = f"{H}x{W}:{K}{'_' if header['mask'] else ''}:{codec[:16]}"
    lines = ["#" + one_line(header)]
    for key, row, members in zip(keys, tokens.reshape(N, H * W).tolist(), more):
        words = " ".join("_" if token == K else str(token) for token in row)
        lines.append(f"{key}\t{column}\t{words}\t{one_line(members)}")
    file.write("".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"))


def one_line(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main(source, target=None):
    if source.endswith(".npz"):
        grids = np.load(source)
        more = [json.loads(line) for line in grids["json"]]
        grids = json.loads(str(grids["header"])), grids["keys"], grids["tokens"], more
        if target and target.endswith(".vqt"):
            with subprocess.Popen(["vq-info", "--force", "-o", target, "-"], stdin=subprocess.PIPE) as info:
                write(info.stdin, *grids)
            sys.exit(info.returncode)
        with open(target, "wb") if target else sys.stdout.buffer as file:
            write(file, *grids)
        return
    header, keys, tokens, more = read(source)
    if target:
        np.savez(target, tokens=tokens, keys=np.array(keys, str), header=one_line(header),
                 json=np.array([one_line(members) for members in more], str))
        return
    N, H, W = tokens.shape
    print(f"{N} grids of {H}x{W} tokens, {header['codebook_size']} codes")
    for key, members in zip(keys[:5], more):
        print(f"{key} {one_line(members)}")


if __name__ == "__main__":
    if len(sys.argv) in (2, 3) and sys.argv[1] not in ("-h", "--help"):
        main(*sys.argv[1:])
    else:
        print(__doc__)
