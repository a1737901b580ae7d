"""Images a second through FID's network, vq-eval beside pytorch-fid with the same random weights; and one fid of
two files of 2048-number statistics, vq-eval beside pytorch-fid's scipy."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

import sides

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "parity" / "scoring"))
import peers  # noqa: E402

COUNT, SIDE, BATCH = 192, 256, 32


def draw(folder):
    from PIL import Image
    rng = np.random.default_rng(1)
    os.makedirs(folder)
    for i in range(COUNT):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE), Image.BICUBIC).save(f"{folder}/{i:04}.png")


def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def run(options, program, work):
    import torch
    from pytorch_fid.fid_score import calculate_frechet_distance, get_activations
    torch.set_num_threads(options.threads)
    weights, folder = f"{work}/weights.pth", f"{work}/pictures"
    state = peers.random_weights(weights, 1)
    draw(folder)
    files = sorted(pathlib.Path(folder).glob("*.png"))
    network = peers.pytorch_fid_network(state)
    call = [program, "-q", "-f", "-j", str(options.threads)]

    def ours(*arguments):
        subprocess.run([*call, *arguments], check=True, stdout=subprocess.DEVNULL)

    def ours_many():
        ours("-b", str(BATCH), "--network", weights, "--fid-mode", "pytorch", "--save-stats",
             f"{work}/a.npz", folder)

    def ours_few():  # starting, loading and writing, which are not images
        ours("--network", weights, "--fid-mode", "pytorch", "--save-stats", f"{work}/b.npz", f"{work}/two")

    os.makedirs(f"{work}/two")
    for f in files[:2]:
        os.link(f, f"{work}/two/{f.name}")

    def peer():
        get_activations(files, network, batch_size=BATCH, num_workers=1)

    rng = np.random.default_rng(2)
    statistics = []
    for name in "xy":
        rows = rng.normal(0, 1, (4000, 2048)) * rng.uniform(0.1, 1, 2048)
        statistics += [rows.mean(0), np.cov(rows, rowvar=False)]
        np.savez(f"{work}/{name}.npz", mu=statistics[-2], sigma=statistics[-1])

    network_rows, fid_rows = [], []
    for _ in range(options.repeats):
        few = seconds(ours_few)
        network_rows.append((COUNT / (seconds(ours_many) - few), COUNT / seconds(peer)))
        fid_rows.append((seconds(lambda: ours("--network", weights, f"{work}/x.npz", f"{work}/y.npz")),
                         seconds(lambda: calculate_frechet_distance(*statistics))))
    return ([sides.median(column) for column in zip(*network_rows)],
            [sides.median(column) for column in zip(*fid_rows)])


def main():
    options = sides.options("eval", 3)
    program = os.path.join(options.programs, "..", "bin", "vq-eval")
    with tempfile.TemporaryDirectory() as work:
        (rate, peer_rate), (fid, peer_fid) = run(options, program, work)
    print(f"{sides.processor()}, {options.threads} threads")
    sides.print_table(["what", "ours", "pytorch-fid", "ratio"],
                      [["images/s, 256 x 256", rate, peer_rate, rate / peer_rate],
                       ["s for a fid of statistics", fid, peer_fid, peer_fid / fid]])
    sides.append_json(options.json, [
        {"bench": "eval", "case": "images/s", "ours": rate, "peer": peer_rate, "ratio": rate / peer_rate},
        {"bench": "eval", "case": "fid", "ours": fid, "peer": peer_fid, "ratio": peer_fid / fid}])


main()
