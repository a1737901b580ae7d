"""Tokens to pictures: our codec beside diffusers' VQModel, turn by turn in one run.

Random weights of the largest released codec's shape (ITHQ: 64 million weights, grids of 32 x 32, pictures of 256 x 256);
see README.md here.
"""

import os
import time

import diffusers
import torch
from diffusers import VQModel

import sides

# theirs, ours
PAIRS = [("fp32", "fp32"), ("fp32", "bf16"), ("bf16", "bf16")]
BATCHES = (1, 4)


def make_peer(dtype):
    return VQModel(
        down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3, block_out_channels=(64, 128, 256, 512),
        layers_per_block=2, latent_channels=256, num_vq_embeddings=4096, norm_num_groups=32,
        vq_embed_dim=128).eval().to(dtype)


def decode(peer, batch):
    tokens = torch.randint(4096, (batch, 32 * 32))
    began = time.perf_counter()
    vectors = peer.quantize.get_codebook_entry(tokens, shape=(batch, 32, 32, 128))
    peer.decode(vectors, force_not_quantize=True)
    return 1000 * (time.perf_counter() - began)


def main():
    options = sides.options("decode", repeats=5)
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    print(f"32 x 32 tokens to 256 x 256 pixels, {options.threads} threads, medians of {options.repeats}, milliseconds")
    print(f"{sides.processor()}; diffusers {diffusers.__version__}, torch {torch.__version__}\n", flush=True)
    ours = sides.Ours(os.path.join(options.programs, "decode_bench"), options.threads)
    peers = {"fp32": make_peer(torch.float32), "bf16": make_peer(torch.bfloat16)}
    rows, records = [], []
    for theirs, mine in PAIRS:
        for batch in BATCHES:
            runs = {"peer": [], "ours": []}
            for turn in range(options.repeats + 1):
                peer_ms, our_ms = decode(peers[theirs], batch), ours(batch, mine)["ms"]
                if turn > 0:  # neither side's first picture counts
                    runs["peer"].append(peer_ms)
                    runs["ours"].append(our_ms)
            peer_ms, our_ms = sides.median(runs["peer"]), sides.median(runs["ours"])
            rows.append([theirs, mine, batch, peer_ms, our_ms, peer_ms / our_ms])
            records.append({"bench": "decode", "device": "cpu", "dtype_peer": theirs, "dtype_ours": mine, "batch": batch,
                            "part": "decode", "peer_s": peer_ms / 1000, "ours_s": our_ms / 1000,
                            "ratio": peer_ms / our_ms, "threads": options.threads, "repeats": options.repeats,
                            "peer": f"diffusers {diffusers.__version__}", "torch": torch.__version__,
                            "processor": sides.processor()})
    ours.end()
    sides.print_table(["theirs", "ours", "batch", "peer", "ours ms", "ratio"], rows)
    sides.append_json(options.json, records)


if __name__ == "__main__":
    main()
