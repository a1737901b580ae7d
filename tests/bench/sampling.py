"""One sampling step outside the network: ours beside diffusers' VQ-Diffusion, turn by turn in one run.

See README.md here for what either side does. Logits are random on both sides; the sizes are the released models'.
"""

import inspect
import os
import time

import diffusers
import torch
from diffusers import VQDiffusionScheduler
from diffusers.pipelines.deprecated.vq_diffusion.pipeline_vq_diffusion import VQDiffusionPipeline

import sides

CODES, LENGTH, BATCH, TIMESTEPS = 4096, 1024, 4, 100
GUIDANCE, TOP_P = 5.0, 0.86
GOAL = 3.0  # percent
# (t, stride): t counts from 0 as in diffusers. With a stride of 4 a run passes t = 99, 95, .., 3.
CASES = [(99, 1), (50, 1), (10, 1), (0, 1), (99, 4), (51, 4), (11, 4), (3, 4)]


class Peer:
    """guidance, truncate and step as the pipeline calls them, on (batch, codes, positions) throughout."""

    def __init__(self):
        self.scheduler = VQDiffusionScheduler(num_vec_classes=CODES + 1, num_train_timesteps=TIMESTEPS)
        self.scheduler.set_timesteps(TIMESTEPS)
        # What its network gives is normalised: see _log_softmax below.
        self.answer = torch.randn(2 * BATCH, CODES, LENGTH).log_softmax(1)
        # truncate() looks at no pipeline, so none is built.
        assert "self." not in inspect.getsource(VQDiffusionPipeline.truncate)
        self.noise = torch.Generator().manual_seed(1)

    def grid(self, t):
        """As large a share of [mask] as the schedule has after t + 1 steps."""
        share = self.scheduler.log_cumprod_ct[t].exp()
        grid = torch.randint(CODES, (BATCH, LENGTH))
        return grid.masked_fill(torch.rand(BATCH, LENGTH) < share, CODES)

    def __call__(self, t):
        grid = self.grid(t)
        parts, last = {}, time.perf_counter()

        def end(part):
            nonlocal last
            now = time.perf_counter()
            parts[part], last = 1000 * (now - last), now

        null, conditioned = self.answer.chunk(2)
        guess = null + GUIDANCE * (conditioned - null)
        guess -= guess.logsumexp(dim=1, keepdim=True)
        end("guidance")
        guess = VQDiffusionPipeline.truncate(None, guess, TOP_P).clamp(-70)
        end("truncate")
        self.scheduler.step(guess, timestep=torch.tensor(t), sample=grid, generator=self.noise)
        end("step")
        return parts

    def log_softmax(self):
        """What its network does with its logits; a part of ours, counted on our side only."""
        logits = torch.randn(2 * BATCH, LENGTH, CODES)
        began = time.perf_counter()
        logits.permute(0, 2, 1).double().log_softmax(1).float()
        return 1000 * (time.perf_counter() - began)


def main():
    options = sides.options("sampling", repeats=10)
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    ours = sides.Ours(os.path.join(options.programs, "sampling_step_bench"), options.threads)
    peer = Peer()

    measured = {case: {"ours": [], "peer": []} for case in CASES}
    softmax = []
    peer(50), ours(50, 1)  # neither side's first step counts
    for _ in range(options.repeats):
        for t, stride in CASES:
            measured[t, stride]["peer"].append(peer(t))
            measured[t, stride]["ours"].append(ours(t, stride))
        softmax.append(peer.log_softmax())

    print(f"one sampling step outside the network: {CODES} codes, {LENGTH} positions, batch {BATCH}, guidance "
          f"{GUIDANCE:g}, top-p {TOP_P}, {options.threads} threads, medians of {options.repeats}, milliseconds")
    print(f"{sides.processor()}; diffusers {diffusers.__version__}, torch {torch.__version__}\n")
    rows, splits, records = [], [], []
    for (t, stride), both in measured.items():
        peer_parts = {part: sides.median([run[part] for run in both["peer"]]) for part in both["peer"][0]}
        peer_ms = sides.median([sum(run.values()) for run in both["peer"]])
        chosen = sides.median([run["chosen"] for run in both["ours"]])
        ours_ms = sides.median([run["ms"] for run in both["ours"]])
        names = next((list(run["parts"]) for run in both["ours"] if len(run["parts"]) > 2), [])
        parts = {part: sides.median([run["parts"].get(part, 0.0) for run in both["ours"]]) for part in names}
        percent = 100 * ours_ms / peer_ms
        rows.append([t, stride, f"{chosen:g} of {BATCH * LENGTH}", *peer_parts.values(), peer_ms, ours_ms,
                     f"{percent:.2f} %", "" if percent < GOAL else f"over {GOAL:g} %"])
        splits.append([t, stride, *parts.values()])
        records.append({"bench": "sampling", "t": t, "stride": stride, "chosen": chosen, "rows": BATCH * LENGTH,
                        "threads": options.threads, "repeats": options.repeats, "peer": f"diffusers {diffusers.__version__}",
                        "torch": torch.__version__, "processor": sides.processor(), "peer_ms": peer_ms,
                        "peer_parts": peer_parts, "ours_ms": ours_ms, "ours_parts": parts, "ratio": ours_ms / peer_ms})
    sides.print_table(["t", "stride", "rows chosen", "guidance", "truncate", "step", "peer", "ours", "ratio", ""], rows)
    print(f"\nnot counted: the peer's log_softmax in float64, {sides.median(softmax):.0f} ms, which its network does; "
          "ours is counted\n\nours by part")
    sides.print_table(["t", "stride", *names], splits)
    sides.append_json(options.json, records)


if __name__ == "__main__":
    main()
