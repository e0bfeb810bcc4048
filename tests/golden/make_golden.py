"""Makes the golden files of 0.1.0: python make_golden.py OUT, in an environment with 0.1.0 (commit ae02f01).

It speaks to 0.1.0 and not to this version; what it made stands beside it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

import tfseqgan as sg
from tfseqgan.rows import whole_rows
from tfseqgan.runs import load_model

out = Path(sys.argv[1])
run = out / "run"
sizes = {
    "units": 6,
    "embedding_dim": 4,
    "epochs": 2,
    "pretraining_batch_size": 256,
    "filters": 2,
    "kernel_sizes": "2,3",
    "discriminator_embedding_dim": 3,
    "length": 24,
    "batch_size": 6,
    "discriminator_batch_size": 10,
    "discriminator_samples": 10,
    "discriminator_steps": 2,
    "discriminator_pretraining_rounds": 1,
    "rounds": 2,
    "validation_freq": 2,
    "num_tunes": 1,
    "objective": "kl_control",
    "baseline": "moving_average",
    "validation_fraction": 0.02,
    "minimum_count": 60,
}
command = [str(Path(sys.executable).with_name("tfseqgan"))]
subprocess.run(
    [
        *command,
        "train",
        "--preset",
        "quick",
        "--out",
        str(run),
        *(f"--{k}={v}" for k, v in sizes.items()),
    ],
    check=True,
    cwd=out,
)
subprocess.run(
    [
        *command,
        "export",
        "--model",
        str(run),
        "--out",
        str(out / "sampler"),
        "--length",
        "24",
        "--num_candidates",
        "3",
    ],
    check=True,
)

generator, discriminator = load_model(run, "generator"), load_model(run, "discriminator")
sampler = sg.SavedSampler(out / "sampler")
tokens = generator.generate(7, length=24, prompt=[1], temperature=0.8, top_p=0.95, seed=3)
sampled, log_probs = generator.sample(
    whole_rows(tf.constant([[5, i] for i in range(5)], tf.int32)), 24
)
scored = sampler.generate(5, seed=3, temperature=0.9)
expected = {
    "generated": tokens,
    "sampled": sampled.numpy()[:5],
    "sampled_log_probs": log_probs.numpy()[:5],
    "token_log_probs": generator.token_log_probs(tf.constant(tokens)).numpy(),
    "logits": generator(tokens).numpy(),
    "discriminator_logits": discriminator(tokens).numpy(),
    "prefix_logits": discriminator.prefix_logits(tf.constant(tokens)).numpy(),
    "saved_sampler": scored,
}
for name, model in (("generator", generator), ("discriminator", discriminator)):
    expected |= {f"{name}.{index}": weight for index, weight in enumerate(model.get_weights())}

resumed = out / "resumed"
shutil.copytree(run, resumed)
subprocess.run([*command, "train", "--resume", "--out", str(resumed), "--rounds", "4"], check=True)
after = load_model(resumed, "generator"), load_model(resumed, "discriminator")
for name, model in zip(("resumed_generator", "resumed_discriminator"), after):
    expected |= {f"{name}.{index}": weight for index, weight in enumerate(model.get_weights())}
(out / "resumed_metrics.csv").write_text((resumed / "metrics.csv").read_text())
shutil.rmtree(resumed)
np.savez_compressed(out / "expected.npz", **expected)
