#!/usr/bin/env python3
"""Wall time and peak memory of a whole conversion beside ONNX Runtime's quantize_static (min-max), in turn, as ratios.

    bench/convert.py --onnxq build/release/onnxq --models FOLDER [--runs 3]

Both as processes of their own on the same one processor, each with all its steps: read, calibrate, write.
"""
import argparse
import os
import statistics
import sys
import tempfile

import common

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default="build/release/onnxq")
    parser.add_argument("--models", required=True)
    parser.add_argument("--runs", type=int, default=3)
    a = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| model | time, onnxq / ONNX Runtime | memory | onnxq s, MB | ONNX Runtime s, MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in common.model_folders(a.models):
            model, out = common.model_of(folder, scratch), os.path.join(scratch, "out.onnx")
            source = common.data_source(folder, "calib")
            ours = [a.onnxq, "convert", "--no-cache", model, out, "--bits", "8", "--per-channel", "--data", source, "-q"]
            peer = [sys.executable, os.path.join(HERE, "peer.py"), model, out, source, "ort-qoperator-minmax-channel"]
            pairs = [(common.measured(ours), common.measured(peer)) for _ in range(a.runs)]
            if not all(x[2] for x, _ in pairs):
                print(f"| {os.path.basename(folder)} | onnxq failed: {pairs[0][0][3].strip()[:200]} | | | |")
                continue
            note = "" if all(y[2] for _, y in pairs) else " (its conversion failed)"
            median = lambda values: statistics.median(values)
            print(f"| {os.path.basename(folder)} | {median([x[0] / y[0] for x, y in pairs]):.2f} | "
                  f"{median([x[1] / y[1] for x, y in pairs]):.2f} | {median([x[0] for x, _ in pairs]):.2f}, "
                  f"{median([x[1] for x, _ in pairs]):.0f} | {median([y[0] for _, y in pairs]):.2f}, "
                  f"{median([y[1] for _, y in pairs]):.0f}{note} |", flush=True)


if __name__ == "__main__":
    main()
