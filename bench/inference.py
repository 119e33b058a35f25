#!/usr/bin/env python3
"""Float and 8-bit inference of onnxq's runtime beside ONNX Runtime's, one thread, as ratios of medians.

    cmake --preset release -DONNXQ_BENCH=ON && cmake --build --preset release
    bench/inference.py --build build/release --models FOLDER [--rounds 3]

Each round times onnxq and ONNX Runtime in turn on the same samples; the ratio is the median of the rounds' ratios (above 1:
onnxq is slower). The 8-bit model is onnxq's default conversion.
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time

import common


def theirs(path, inputs, runs):
    session, times = common.session(path), []
    for i in range(runs):
        begin = time.perf_counter()
        session.run(None, inputs[i % len(inputs)])
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--models", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=40)
    a = parser.parse_args()
    print("| model | form | onnxq ms | ONNX Runtime ms | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in common.model_folders(a.models):
            model, quantized = common.model_of(folder, scratch), os.path.join(scratch, "quantized.onnx")
            source = common.data_source(folder, "calib")
            subprocess.run([os.path.join(a.build, "onnxq"), "convert", "--no-cache", model, quantized, "--data", source, "-q"], check=True)
            for form, path in (("float", model), ("8 bit", quantized)):
                wanted = {i.name for i in common.session(path).get_inputs()}
                inputs = [{k: v for k, v in x.items() if k in wanted} for x in common.samples(folder, "calib")]
                pairs = []
                for _ in range(a.rounds):
                    ours = float(subprocess.run([os.path.join(a.build, "bench_inference"), path, source, str(a.runs)], check=True,
                                                capture_output=True, text=True).stdout)
                    pairs.append((ours, theirs(path, inputs, a.runs)))
                print(f"| {os.path.basename(folder)} | {form} | {statistics.median(p[0] for p in pairs):.2f} | "
                      f"{statistics.median(p[1] for p in pairs):.2f} | {statistics.median(p[0] / p[1] for p in pairs):.2f} |",
                      flush=True)


if __name__ == "__main__":
    main()
