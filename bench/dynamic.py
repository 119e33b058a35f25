#!/usr/bin/env python3
"""Dynamic quantization beside ONNX Runtime's quantize_dynamic: the columns of bench/accuracy.py.

    bench/dynamic.py --onnxq build/release/onnxq --models FOLDER [--only NAME]
"""
import argparse
import os
import sys
import tempfile

import accuracy
import common

# Run as a process of its own, so that time and memory can be measured.
PEER = """import sys
from onnxruntime.quantization import QuantType, quantize_dynamic
quantize_dynamic(sys.argv[1], sys.argv[2], per_channel=sys.argv[3] == "per_channel", weight_type=QuantType.QInt8)"""


def tools(onnxq):
    peer = lambda kind: lambda m, out: [sys.executable, "-c", PEER, m, out, kind]
    return {"onnxq dynamic": lambda m, out: [onnxq, "convert", m, out, "--mode", "dynamic", "-q"],
            "onnxq dynamic, 4-bit weights": lambda m, out: [onnxq, "convert", m, out, "--mode", "dynamic", "--weight-bits", "4", "-q"],
            "ONNX Runtime dynamic per channel": peer("per_channel"), "ONNX Runtime dynamic": peer("per_tensor")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default="build/release/onnxq")
    parser.add_argument("--models", required=True)
    parser.add_argument("--only", default="", help="models whose name holds this")
    a = parser.parse_args()
    print("| model | tool | int | SQNR dB | agreement | speed | size | s | MB |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in common.model_folders(a.models):
            name = os.path.basename(folder)
            if a.only not in name:
                continue
            model = common.model_of(folder, scratch)
            float_session = common.session(model)
            inputs = list(common.samples(folder, "eval"))
            reference = [float_session.run(None, x)[0] for x in inputs]
            for tool, command in tools(a.onnxq).items():
                out = os.path.join(scratch, "quantized.onnx")
                seconds, peak, ok, errors = common.measured(command(model, out))
                if not ok:
                    print(f"| {name} | {tool} | - | {errors.strip().splitlines()[-1][:120]} | | | | {seconds:.1f} | {peak:.0f} |")
                    continue
                row = accuracy.score(folder, model, out, float_session, inputs, reference)
                print(f"| {name} | {tool} | {row['int']} | {row['sqnr']:.2f} | {row['agree']:.3f} | {row['speed']:.2f} | "
                      f"{row['size']:.2f} | {seconds:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
