#!/usr/bin/env python3
"""Tables and pictures of docs/sweep.md: each model at every width, and what ONNX Runtime makes of each file.

    bench/sweep.py --onnxq build/release/onnxq --models FOLDER [--only NAME,..] [--pictures docs/img] [--limit 200]

For every folder with model.onnx, calib and eval samples (and labels.npy) two sweeps, judged on the evaluation samples: widths of
weights and activations together, in Q/DQ form, and of weights alone. Every file that comes of it is loaded in ONNX Runtime and run
on the same samples; its SQNR against the float model there stands beside ours. The exit status is 1 when they are apart by more than
.3 dB (below 50 dB: above, the float models of both runtimes themselves differ by as much) or a file fails ONNX's checker.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx

import common

SERIES = {"together": ["--bits", "16..2"], "weights": ["--mode", "weight-only", "--bits", "16..2"]}
TITLES = {"together": "weights and activations", "weights": "weights alone"}


def run_all(path, inputs):
    session = common.session(path, exact_weights=True)
    names = {i.name for i in session.get_inputs()}
    return [session.run(None, {k: v for k, v in x.items() if k in names})[0] for x in inputs]


def judge(path, inputs, reference):
    """ONNX Runtime's SQNR and top-1 agreement on a file, or why there are none."""
    onnx.checker.check_model(path, full_check=True)
    try:
        got = run_all(path, inputs)
    except Exception as failure:  # the runtime's own classes have no common base
        return None, str(failure).strip().splitlines()[0][:160]
    return common.sqnr(reference, got), float(np.mean([y.argmax(-1).ravel() == z.argmax(-1).ravel() for y, z in zip(reference, got)]))


def apart(ours, theirs):
    return ours is not None and min(ours, theirs) < 50 and abs(ours - theirs) > 0.3


def figure(value, pattern):
    return "" if value is None else pattern.format(value)


def row_text(row, outcome):
    if "obstacle" in row:
        return f"| {row['weight_bits']} | {row['activation_bits'] or 'float'} | cannot be had: {row['obstacle']} | | | | | |"
    theirs = figure(outcome[0], "{:.2f}") if outcome[0] is not None else f"does not load: {outcome[1]}"
    return (f"| {row['weight_bits']} | {row['activation_bits'] or 'float'} | {row['bytes'] / 1e6:.3g} | {row['ratio']:.3f} | "
            f"{figure(row['sqnr_db'], '{:.2f}')} | {theirs} | {figure(row.get('agreement'), '{:.4f}')} | "
            f"{figure(row.get('accuracy') and 100 * row['accuracy'], '{:.2f}')} |")


def judged_on(folder, scratch, inputs):
    """The samples as a file of their own: of more, onnxq takes those that their content puts first."""
    if os.path.isdir(os.path.join(folder, "eval")):
        return common.data_source(folder, "eval")
    path = os.path.join(scratch, "eval.npz")
    np.savez(path, **{name: np.concatenate([x[name] for x in inputs]) for name in inputs[0]})
    return path


def sweep(a, folder, series, scratch, inputs, reference):
    """Prints one table; the number of files on which the runtimes differ."""
    name = os.path.basename(folder)
    report, models = os.path.join(scratch, "report.json"), os.path.join(scratch, "models")
    command = [a.onnxq, "sweep", common.model_of(folder, scratch), "--data", common.data_source(folder, "calib"), "--eval",
               judged_on(folder, scratch, inputs), "--limit", str(a.limit), "--format", "qdq", "--output", report, "--models", models,
               "--title", f"{name}: {TITLES[series]}", "-q", *SERIES[series]]
    if os.path.exists(os.path.join(folder, "labels.npy")):
        command += ["--labels", os.path.join(folder, "labels.npy")]
    if a.pictures:
        command += ["--svg", os.path.join(a.pictures, f"sweep-{name}-{series}.svg")]
    subprocess.run(command, check=True)
    found = json.load(open(report))
    print(f"\n### {name}: {TITLES[series]}\n\nfloat: {found['float']['bytes'] / 1e6:.3g} MB"
          + (f", accuracy {100 * found['float']['accuracy']:.2f} %" if "accuracy" in found["float"] else "")
          + f"; judged on {found['judged_on']} samples\n\n| weights | activations | MB | ratio | SQNR dB | in ONNX Runtime | agreement | "
          "accuracy % |\n|---|---|---|---|---|---|---|---|")
    differing = 0
    for row in found["widths"]:
        activations = f"a{row['activation_bits']}" if row["activation_bits"] else ""
        path = os.path.join(models, f"w{row['weight_bits']}{activations}.onnx")
        outcome = (None, "") if "obstacle" in row else judge(path, inputs, reference)
        differs = outcome[0] is not None and apart(row["sqnr_db"], outcome[0])
        differing += differs
        print(row_text(row, outcome) + (" DIFFERS" if differs else ""), flush=True)
    return differing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default="build/release/onnxq")
    parser.add_argument("--models", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--pictures")
    parser.add_argument("--limit", type=int, default=200)
    a = parser.parse_args()
    differing = 0
    for folder in common.model_folders(a.models):
        if a.only and os.path.basename(folder) not in a.only.split(","):
            continue
        inputs = [x for x, _ in zip(common.samples(folder, "eval"), range(a.limit))]
        with tempfile.TemporaryDirectory() as scratch:
            reference = run_all(common.model_of(folder, scratch), inputs)
            for series in SERIES:
                differing += sweep(a, folder, series, scratch, inputs, reference)
    print(f"\n{differing} files on which the runtimes differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
