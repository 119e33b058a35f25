"""What the methods of rounding weights are worth: narrow weights and 8-bit activations, each method on each model, scored in ONNX
Runtime on the evaluation samples. Prints a Markdown table.

    bench/rounding.py --onnxq build/release/onnxq [--weight-bits 4] [--models FOLDER] [NAME ...]

Models: the sample digit networks of models/, and EfficientNet-Lite0 or whatever else lies in --models (a folder NAME with model.onnx,
calib.npz and eval.npz)."""
import argparse
import os
import re
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime as ort

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
METHODS = ("nearest, biases as they are", "nearest", "gptq", "adaround", "gram")


def outputs(path, samples):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    count = len(next(iter(samples.values())))
    return np.concatenate([session.run(None, {k: v[i:i + 1] for k, v in samples.items()})[0] for i in range(count)])


def convert(arguments, folder, method, target):
    flags = ["--no-correct", "--rounding", "nearest"] if "," in method else ["--rounding", method]
    begin = time.monotonic()
    run = subprocess.run([arguments.onnxq, "convert", os.path.join(folder, "model.onnx"), target, "--format", "qdq", "--weight-bits",
                          str(arguments.weight_bits), "--data", os.path.join(folder, "calib.npz"), "--verify-samples", "0"] + flags,
                         check=True, capture_output=True, text=True)
    kept = re.search(r"tuned \((.*?)\): (?:weights of (\d+) of (\d+))?", run.stderr)
    return time.monotonic() - begin, f"{kept[2]}/{kept[3]}" if kept and kept[1] == "kept" and kept[2] else "-"


def score(folder, reference, samples, target):
    y = outputs(target, samples)
    sqnr = 10 * np.log10((reference**2).sum() / ((reference - y)**2).sum())
    agree = (reference.argmax(1) == y.argmax(1)).mean()
    labels = os.path.join(folder, "labels.npy")
    if not os.path.exists(labels):
        return sqnr, agree, "-"
    return sqnr, agree, f"{(y.argmax(1) == np.load(labels)[:len(y)]).mean():.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default=os.path.join(SOURCE, "build", "release", "onnxq"))
    parser.add_argument("--weight-bits", type=int, default=4)
    parser.add_argument("--models")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    folders = {name: os.path.join(SOURCE, "models", name) for name in ("mlp", "cnn")}
    for name in sorted(os.listdir(arguments.models)) if arguments.models else ():
        if os.path.exists(os.path.join(arguments.models, name, "eval.npz")):
            folders[name] = os.path.join(arguments.models, name)
    print("| model | rounding | layers | SQNR dB | agreement | accuracy | s |\n|---|---|---|---|---|---|---|")
    for name in arguments.names or folders:
        samples = dict(np.load(os.path.join(folders[name], "eval.npz")))
        reference = outputs(os.path.join(folders[name], "model.onnx"), samples)
        for method in METHODS:
            with tempfile.TemporaryDirectory() as work:
                target = os.path.join(work, "q.onnx")
                seconds, layers = convert(arguments, folders[name], method, target)
                sqnr, agree, accuracy = score(folders[name], reference, samples, target)
            print(f"| {name} | {method} | {layers} | {sqnr:.2f} | {agree:.3f} | {accuracy} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
