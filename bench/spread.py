#!/usr/bin/env python3
"""How much the result depends on which samples calibrate: the sample networks with shuffled, halved, doubled and other calibration sets.

    bench/spread.py --onnxq build/release/onnxq [--models models] [--form qdq]

Sets of 100 are drawn from calib.npz and the last 300 evaluation samples; accuracy (in points, with labels.npy) and SQNR are taken on the
first 700 evaluation samples by `onnxq verify`. Shuffling must change nothing.
"""
import argparse
import hashlib
import json
import os
import subprocess
import tempfile

import numpy as np

JUDGED = 700


def arrays(path, rows=slice(None)):
    with np.load(path) as file:
        return {name: file[name][rows] for name in file.files}


def calibration_sets(folder):
    calib, spare = arrays(os.path.join(folder, "calib.npz")), arrays(os.path.join(folder, "eval.npz"), slice(JUDGED, None))
    pool = {k: np.concatenate([calib[k], spare[k]]) for k in calib}
    count, everything = len(next(iter(calib.values()))), len(next(iter(pool.values())))
    draw = np.random.default_rng(1)
    take = lambda rows: {k: v[rows] for k, v in pool.items()}
    yield "as it is", take(np.arange(count))
    yield "shuffled", take(draw.permutation(count))
    for i in range(2):
        yield f"half {i + 1}", take(np.arange(i * count // 2, (i + 1) * count // 2))
    yield "doubled", take(np.arange(2 * count))
    for i in range(3):
        yield f"others {i + 1}", take(draw.permutation(everything)[:count])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default="build/release/onnxq")
    parser.add_argument("--models", default="models")
    parser.add_argument("--form", default="qdq")
    a = parser.parse_args()
    print("| model | calibration set | SQNR dB | accuracy (float) | bytes |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name in sorted(os.listdir(a.models)):
            folder = os.path.join(a.models, name)
            if not os.path.exists(os.path.join(folder, "labels.npy")):
                continue
            judged, labels, source, out = (os.path.join(scratch, f) for f in ("eval.npz", "labels.npy", "calib.npz", "q.onnx"))
            np.savez(judged, **arrays(os.path.join(folder, "eval.npz"), slice(JUDGED)))
            np.save(labels, np.load(os.path.join(folder, "labels.npy"))[:JUDGED])
            figures = []
            for title, data in calibration_sets(folder):
                np.savez(source, **data)
                model = os.path.join(folder, "model.onnx")
                subprocess.run([a.onnxq, "convert", model, out, "--data", source, "--format", a.form, "--no-cache", "-q"], check=True)
                found = json.loads(subprocess.run([a.onnxq, "verify", model, out, "--data", judged, "--labels", labels, "--json"],
                                                  check=True, capture_output=True, text=True).stdout)["outputs"][0]
                figures.append((found["sqnr_db"], 100 * found["accuracy_model"]))
                digest = hashlib.sha256(open(out, "rb").read()).hexdigest()[:8]
                print(f"| {name} | {title} | {found['sqnr_db']:.2f} | {100 * found['accuracy_model']:.2f} "
                      f"({100 * found['accuracy_reference']:.2f}) | {digest} |", flush=True)
            low, high = np.min(figures, 0), np.max(figures, 0)
            print(f"| {name} | **spread** | {low[0]:.2f}..{high[0]:.2f} | {low[1]:.2f}..{high[1]:.2f} | |", flush=True)


if __name__ == "__main__":
    main()
