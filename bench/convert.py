#!/usr/bin/env python3
"""Wall time and peak memory of whole conversions beside ONNX Runtime's quantize_static with its min-max, percentile and entropy, in turn.

    bench/convert.py --onnxq build/release/onnxq --models FOLDER [--runs 3] [--cores 1] [--only NAME] [--nncf PYTHON]

Each is a process of its own on the same processors (--cores, the first one if not given), with all its steps: read, calibrate, write. `default` is onnxq as it comes
(searched ranges, corrected biases and the rest), beside min-max, and beside NNCF's default when --nncf names a Python that has it
(python3 -m venv build/nncf; build/nncf/bin/pip install nncf onnx onnxruntime); each --method without what looks at data twice
(--no-correct, and --rounding nearest) stands beside the same method of ONNX Runtime, mse, which that does not have, beside its entropy.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

import common

HERE = os.path.dirname(os.path.abspath(__file__))


def pairs(a):
    """(title, flags of onnxq, tool of peer.py, its Python)"""
    has_rounding = "--rounding" in subprocess.run([a.onnxq, "help", "convert"], capture_output=True, text=True).stdout
    plain = ["--no-correct"] + (["--rounding", "nearest"] if has_rounding else [])
    yield "default beside min-max", [], "ort-qoperator-minmax-channel", sys.executable
    for method, peer in (("minmax", "minmax"), ("percentile", "percentile"), ("entropy", "entropy"), ("mse", "entropy")):
        title = method if method == peer else f"{method} beside {peer}"
        yield title, ["--method", method, *plain], f"ort-qoperator-{peer}-channel", sys.executable
    if a.nncf:
        yield "default beside NNCF", [], "nncf", a.nncf


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default="build/release/onnxq")
    parser.add_argument("--models", required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--only", default="", help="models whose name holds this")
    parser.add_argument("--nncf", help="a Python that has nncf")
    a = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:a.cores]))
    median = lambda values: statistics.median(values)
    print("| model | what | time, onnxq / peer | memory | onnxq s, MB | peer s, MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in common.model_folders(a.models):
            name = os.path.basename(folder)
            if a.only not in name:
                continue
            model, out, source = common.model_of(folder, scratch), os.path.join(scratch, "out.onnx"), common.data_source(folder, "calib")
            for title, flags, tool, python in pairs(a):
                ours = [a.onnxq, "convert", "--no-cache", model, out, "--data", source, "-q", *flags]
                peer = [python, os.path.join(HERE, "peer.py"), model, out, source, tool]
                runs = [(common.measured(ours), common.measured(peer)) for _ in range(a.runs)]
                if not all(x[2] for x, _ in runs):
                    print(f"| {name} | {title} | onnxq failed: {runs[0][0][3].strip()[:200]} | | | |")
                    continue
                note = "" if all(y[2] for _, y in runs) else " (its conversion failed)"
                print(f"| {name} | {title} | {median([x[0] / y[0] for x, y in runs]):.2f} | {median([x[1] / y[1] for x, y in runs]):.2f} | "
                      f"{median([x[0] for x, _ in runs]):.2f}, {median([x[1] for x, _ in runs]):.0f} | "
                      f"{median([y[0] for _, y in runs]):.2f}, {median([y[1] for _, y in runs]):.0f}{note} |", flush=True)


if __name__ == "__main__":
    main()
