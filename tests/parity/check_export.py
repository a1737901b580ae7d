"""Does diffusers load a folder that vq-import --to diffusers wrote, and draw the pictures of the fixture with it?

  python check_export.py FOLDER FIXTURE
"""

import json
import os
import sys

import numpy as np
import torch
from safetensors.torch import load_file

import diffusers
import diffusers.pipelines.deprecated.vq_diffusion.pipeline_vq_diffusion as vq_pipeline
import diffusers.schedulers.scheduling_vq_diffusion as vq_scheduler
from make_diffusers import Noise


def tensors(folder):
    """Of all weights under a folder, by component and name."""
    found = {}
    for part in sorted(os.listdir(folder)):
        for name in ("diffusion_pytorch_model.safetensors", "model.safetensors"):
            path = os.path.join(folder, part, name)
            if os.path.exists(path):
                found.update((part + ": " + key, t) for key, t in load_file(path).items())
    return found


def main():
    folder, fixture = sys.argv[1:]
    ours, theirs = tensors(folder), tensors(os.path.join(fixture, "pipeline"))
    if theirs:  # a fixture of pickles has none to compare with
        if sorted(ours) != sorted(theirs):
            sys.exit(f"other tensors: {sorted(set(ours) ^ set(theirs))[:8]}")
        for name, tensor in theirs.items():
            if tensor.dtype != ours[name].dtype or not torch.equal(tensor, ours[name]):
                sys.exit(f"{name} is not what it was")
        print(f"{len(theirs)} tensors are what they were")
    # diffusers 0.35.2 looks for the null's class where it no longer is.
    diffusers.pipelines.vq_diffusion = vq_pipeline
    pipe = vq_pipeline.VQDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    refs = load_file(os.path.join(fixture, "refs.safetensors"))
    with open(os.path.join(fixture, "refs.json")) as file:
        runs = json.load(file)["runs"]
    for name, run in runs.items():
        grids = []
        vq_scheduler.gumbel_noised = Noise(run["noise_seed"])
        image = pipe(run["prompts"], num_inference_steps=run["steps"], guidance_scale=run["guidance"],
                     truncation_rate=run["truncation"], output_type="np",
                     callback=lambda i, t, x: grids.append(x.clone())).images
        if not torch.equal(torch.stack(grids).to(torch.int64), refs[f"run.{name}.samples"].to(torch.int64)):
            sys.exit(f"run {name}: other grids")
        off = float(np.abs(image - refs[f"run.{name}.image"].numpy()).max())
        print(f"run {name}: every grid the same, pictures differ by {off:.1e}")
        if off > 1e-6:
            sys.exit("too much")


if __name__ == "__main__":
    with torch.no_grad():
        main()
