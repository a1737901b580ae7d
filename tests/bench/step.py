"""A whole sampling step, network included: ours beside diffusers' VQ-Diffusion, turn by turn in one run.

Random weights of three sizes; see README.md here. The peer is Transformer2DModel as the released model has it, called
on both guidance branches at once, then guidance, truncate and step as its pipeline does them.
"""

import os
import resource
import sys
import time

import diffusers
import torch
from diffusers import Transformer2DModel, VQDiffusionScheduler
from diffusers.pipelines.deprecated.vq_diffusion.pipeline_vq_diffusion import VQDiffusionPipeline

import sides

TIMESTEPS, GUIDANCE, TOP_P = 100, 5.0, 0.86
# layers, heads, width of a head, side of the grid, codes
SIZES = {"tiny": (8, 8, 32, 16, 1024), "base": (19, 16, 64, 32, 2887), "large": (36, 16, 88, 32, 4096)}
# Batches on a CPU: fewer where a step takes long. On a GPU 1 and 16.
BATCHES = {"tiny": (1, 4), "base": (1, 4), "large": (1,)}
T = 50


class Peer:
    def __init__(self, size, dtype, device):
        layers, heads, width, side, codes = SIZES[size]
        self.codes, self.length, self.dtype, self.device = codes, side * side, dtype, device
        torch.set_default_dtype(dtype)  # so that fp32 weights never exist beside bf16 ones
        self.network = Transformer2DModel(
            num_attention_heads=heads, attention_head_dim=width, num_layers=layers, attention_bias=True,
            cross_attention_dim=512, num_vector_embeds=codes + 1, sample_size=side, num_embeds_ada_norm=TIMESTEPS,
            activation_fn="geglu-approximate", norm_type="ada_norm").eval().to(device)
        torch.set_default_dtype(torch.float32)
        self.scheduler = VQDiffusionScheduler(num_vec_classes=codes + 1, num_train_timesteps=TIMESTEPS)
        self.scheduler.set_timesteps(TIMESTEPS, device=device)
        self.noise = torch.Generator(device).manual_seed(1)

    def clock(self):
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter()

    def __call__(self, batch, t):
        share = self.scheduler.log_cumprod_ct[t].exp().item()
        grid = torch.randint(self.codes, (batch, self.length))
        grid = grid.masked_fill(torch.rand(batch, self.length) < share, self.codes).to(self.device)
        text = torch.randn(2 * batch, 77, 512, dtype=self.dtype).to(self.device)
        began = self.clock()
        step = torch.tensor(t, device=self.device)
        output = self.network(torch.cat([grid] * 2), encoder_hidden_states=text, timestep=step).sample
        network = self.clock() - began
        null, conditioned = output.chunk(2)
        guess = null + GUIDANCE * (conditioned - null)
        guess -= guess.logsumexp(dim=1, keepdim=True)
        guess = VQDiffusionPipeline.truncate(None, guess, TOP_P).clamp(-70)
        self.scheduler.step(guess, timestep=step, sample=grid, generator=self.noise)
        return {"ms": 1000 * (self.clock() - began), "network_ms": 1000 * network}


# Both sides in bf16; each as it is used, theirs in fp32, ours in what --dtype auto takes; and ours in int8, which pays
# where the products are large.
PAIRS = [("bf16", "bf16"), ("fp32", "auto"), ("bf16", "int8")]


def measure(options, size, pair, rows, records):
    theirs, mine = pair
    ours = sides.Ours(os.path.join(options.programs, "denoiser_step_bench"), options.threads, size, mine,
                      options.device)
    ready = ours.answer()
    peer = Peer(size, torch.bfloat16 if theirs == "bf16" else torch.float32, options.device)
    for batch in BATCHES[size] if options.device == "cpu" else (1, 16):
        runs = {"peer": [], "ours": []}
        for turn in range(options.repeats + 2):
            peer_run, our_run = peer(batch, T), ours(batch, T)
            if turn > 1:  # neither side's first steps count, in which it makes things ready
                runs["peer"].append(peer_run)
                runs["ours"].append(our_run)
        of = lambda side, what: sides.median([run[what] for run in runs[side]])
        ratio = of("peer", "ms") / of("ours", "ms")
        rows.append([size, theirs, mine, batch, of("peer", "network_ms"), of("peer", "ms"), of("ours", "network_ms"),
                     of("ours", "ms"), ratio])
        for part, key in (("step", "ms"), ("network", "network_ms")):
            records.append({"bench": "step", "size": size, "device": options.device, "dtype_peer": theirs, "dtype_ours": mine,
                            "batch": batch, "part": part, "peer_s": of("peer", key) / 1000,
                            "ours_s": of("ours", key) / 1000, "ratio": of("peer", key) / of("ours", key),
                            "threads": options.threads, "repeats": options.repeats, "weights": ready["weights"],
                            "ours_peak_mib": runs["ours"][-1]["peak_mib"],
                            "peer_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                            "peer": f"diffusers {diffusers.__version__}", "torch": torch.__version__,
                            "processor": sides.processor() if options.device == "cpu" else torch.cuda.get_device_name()})
    ours.end()


def main():
    options = sides.options("step", repeats=5, sizes=list(SIZES))
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    print(f"one sampling step at t = {T}, guidance {GUIDANCE:g}, top-p {TOP_P}, {options.device}, {options.threads} threads, "
          f"medians of {options.repeats}, milliseconds")
    print(f"{sides.processor()}; diffusers {diffusers.__version__}, torch {torch.__version__}\n", flush=True)
    rows, records = [], []
    for size in options.sizes:
        for pair in PAIRS[:2] if size == "tiny" or options.device != "cpu" else PAIRS:
            print(f"{size}, {pair[0]} beside {pair[1]}", file=sys.stderr, flush=True)
            measure(options, size, pair, rows, records)
    sides.print_table(["size", "theirs", "ours", "batch", "peer's network", "peer", "our network", "ours", "ratio"], rows)
    sides.append_json(options.json, records)


if __name__ == "__main__":
    main()
