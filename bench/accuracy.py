#!/usr/bin/env python3
"""The table of accuracy, coverage and speed: onnxq in both formats beside ONNX Runtime's quantizer, on the same data.

    bench/accuracy.py --onnxq build/release/onnxq --models FOLDER [--json FILE]

FOLDER holds one folder a model: model.onnx, calib.npz and eval.npz (or folders of .npz). Needs onnx, onnxruntime and numpy.
int: matrix products and convolutions that run in integer kernels in ONNX Runtime, of all. SQNR over all outputs on eval,
agreement with the float model, speed: float latency / quantized latency in ONNX Runtime, one thread, run in turn.
On a machine without VNNI accuracy is taken from the same model with weights as uint8 (the same numbers; see common.py).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import common

HERE = os.path.dirname(os.path.abspath(__file__))


def tools(onnxq):
    ours = lambda form: lambda m, out, source: [onnxq, "convert", "--no-cache", m, out, "--bits", "8", "--per-channel", "--data", source,
                                                 "--format", form, "-q"]
    peer = lambda form, kind: lambda m, out, source: [sys.executable, os.path.join(HERE, "peer.py"), m, out, source, form, kind]
    return {"onnxq qoperator": ours("qoperator"), "onnxq qdq": ours("qdq"),
            "ONNX Runtime QOperator u8s8 per channel": peer("qoperator", "u8s8"),
            "ONNX Runtime QDQ u8s8 per channel": peer("qdq", "u8s8"), "ONNX Runtime default": peer("qdq", "default")}


def score(folder, model, quantized, float_session, inputs, reference):
    exact = quantized if common.has_vnni() else common.exact_form(quantized, quantized + ".exact.onnx")
    got = [s[0] for s in map(lambda x, z=common.session(exact): z.run(None, x), inputs)]
    row = {"sqnr": common.sqnr(reference, got), "agree": common.agreement(folder, reference, got)}
    left, integer = common.kernels(quantized)
    row["int"] = f"{integer}/{integer + left}"
    middle = sorted(inputs, key=lambda x: sum(v.size for v in x.values()))[len(inputs) // 2]
    slow, fast = common.paired_latency(float_session, common.session(quantized), middle)
    row["speed"] = slow / fast
    row["size"] = os.path.getsize(quantized) / os.path.getsize(model)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default="build/release/onnxq")
    parser.add_argument("--models", required=True)
    parser.add_argument("--only", help="models whose name holds this")
    parser.add_argument("--ours", action="store_true", help="leave the peers out")
    parser.add_argument("--json")
    a = parser.parse_args()
    rows = []
    print("| model | tool | int | SQNR dB | agreement | speed | size | s | MB |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in common.model_folders(a.models):
            name = os.path.basename(folder)
            if a.only and a.only not in name:
                continue
            model = common.model_of(folder, scratch)
            float_session = common.session(model)
            wanted = {i.name for i in float_session.get_inputs()}
            inputs = [{k: v for k, v in x.items() if k in wanted} for x in common.samples(folder, "eval")]
            reference = [float_session.run(None, x)[0] for x in inputs]
            for tool, command in tools(a.onnxq).items():
                if a.ours and not tool.startswith("onnxq"):
                    continue
                out = os.path.join(scratch, "quantized.onnx")
                seconds, peak, ok, errors = common.measured(command(model, out, common.data_source(folder, "calib")))
                row = {"model": name, "tool": tool, "s": seconds, "mb": peak}
                try:
                    if not ok:
                        raise RuntimeError("conversion failed: " + errors.strip().splitlines()[-1][:120])
                    row.update(score(folder, model, out, float_session, inputs, reference))
                    print(f"| {name} | {tool} | {row['int']} | {row['sqnr']:.2f} | {row['agree']:.3f} | {row['speed']:.2f} | "
                          f"{row['size']:.2f} | {seconds:.1f} | {peak:.0f} |", flush=True)
                except Exception as error:
                    row["error"] = str(error).splitlines()[0][:160]
                    print(f"| {name} | {tool} | - | {row['error']} | | | | {seconds:.1f} | {peak:.0f} |", flush=True)
                rows.append(row)
    if a.json:
        json.dump(rows, open(a.json, "w"), indent=1)


if __name__ == "__main__":
    main()
