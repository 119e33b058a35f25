#!/usr/bin/env python3
"""weight_only.py ONNXQ [--root DATA] [--models a,b] [--samples N] [--levels 4] [--peers]: weights stored as integers, with and without groups, and
tables of embeddings: size, SQNR and agreement on the evaluation samples in ONNX Runtime, and speed as float latency / quantized
latency (one thread). ONNX Runtime's kernel for such weights quantizes the activations too unless told otherwise (accuracy level 4,
its default; 1 computes in float): --levels 1,4 shows both. Prints a Markdown table. --peers: also ONNX Runtime's own tools, quantize_dynamic and the 4-bit
weight-only one (which needs the package onnx_ir)."""
import argparse
import os
import subprocess
import tempfile

import common
import onnxruntime as ort

OURS = {"W8A32": ["--weight-bits", "8", "--embeddings", "float"],
        "W8A32, embeddings 8": ["--weight-bits", "8", "--embeddings", "8"],
        "W8A32, embeddings 8, calibrated": ["--weight-bits", "8", "--embeddings", "8", "--data", "DATA"],
        "W8A32, embeddings 4": ["--weight-bits", "8", "--embeddings", "4"],
        "W4A32": ["--weight-bits", "4", "--embeddings", "float"],
        "W4A32 group 32": ["--weight-bits", "4", "--group-size", "32", "--embeddings", "float"],
        "W4A32 group 32 asymmetric": ["--weight-bits", "4", "--group-size", "32", "--weight-asymmetric", "--embeddings", "float"],
        "W4A32 group 32 asymmetric, calibrated": ["--weight-bits", "4", "--group-size", "32", "--weight-asymmetric", "--embeddings",
                                                  "float", "--data", "DATA"],
        "W4A32 group 32 asymmetric, embeddings 8": ["--weight-bits", "4", "--group-size", "32", "--weight-asymmetric"],
        "W4A32 group 32 asymmetric, embeddings 4 in groups, calibrated": ["--weight-bits", "4", "--group-size", "32", "--weight-asymmetric",
                                                                          "--embeddings", "4", "--data", "DATA"],
        "W2A32 group 32 asymmetric, embeddings 4 in groups, calibrated": ["--weight-bits", "2", "--group-size", "32", "--weight-asymmetric",
                                                                          "--embeddings", "4", "--data", "DATA"],
        "dynamic": ["--mode", "dynamic"],
        "dynamic, weights of 4 bits": ["--mode", "dynamic", "--weight-bits", "4"]}


def ort_dynamic(model, out):
    from onnxruntime.quantization import quantize_dynamic
    quantize_dynamic(model, out, per_channel=True)


def ort_nbits(symmetric):
    def run(model, out):
        from onnxruntime.quantization import matmul_nbits_quantizer as q
        tool = q.MatMulNBitsQuantizer(model, block_size=32, is_symmetric=symmetric, accuracy_level=4)
        tool.process()
        tool.model.save_model_to_file(out)
    return run


PEERS = {"ONNX Runtime quantize_dynamic, per channel": ort_dynamic, "ONNX Runtime MatMulNBits 4 bits, group 32": ort_nbits(True),
         "ONNX Runtime MatMulNBits 4 bits, group 32 asymmetric": ort_nbits(False)}


def session(path, accuracy):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", str(accuracy))
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def row(a, folder, name, model, quantized, samples, reference):
    cells = [f"{os.path.getsize(quantized) / 1e6:.1f}", f"{os.path.getsize(quantized) / os.path.getsize(model):.3f}"]
    for accuracy in a.levels.split(","):
        s = session(quantized, accuracy)
        got = [s.run(None, sample)[0] for sample in samples]
        cells += [f"{common.sqnr(reference, got):.2f}", f"{common.agreement(folder, reference, got):.3f}"]
        plain, fast = common.paired_latency(common.session(model), s, samples[0], a.runs)
        cells.append(f"{plain / fast:.2f}")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def bench(a, folder, scratch):
    model = common.model_of(folder, scratch)
    samples = list(common.samples(folder, "eval"))[:a.samples]
    float_session = common.session(model)
    reference = [float_session.run(None, sample)[0] for sample in samples]
    print(f"\n{os.path.basename(folder)}, {len(samples)} samples, float {os.path.getsize(model) / 1e6:.1f} MB\n")
    levels = a.levels.split(",")
    print("| | MB | of float |" + "".join(f" SQNR dB (level {level}) | agreement | speed |" for level in levels))
    print("|---|---|---|" + "---|---|---|" * len(levels), flush=True)
    out = os.path.join(scratch, "quantized.onnx")
    for name, flags in OURS.items():
        flags = [common.data_source(folder, "calib") if flag == "DATA" else flag for flag in flags]
        mode = [] if "--mode" in flags else ["--mode", "weight-only"]
        subprocess.run([a.onnxq, "convert", model, out, "--verify-samples", "0", "-q", *mode, *flags], check=True)
        row(a, folder, name, model, out, samples, reference)
    for name, tool in PEERS.items() if a.peers else []:
        tool(model, out)
        row(a, folder, name, model, out, samples, reference)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("onnxq")
    p.add_argument("--root", required=True, help="folder of model folders")
    p.add_argument("--models", default="minilm")
    p.add_argument("--samples", type=int, default=300)
    p.add_argument("--levels", default="4")
    p.add_argument("--runs", type=int, default=20)
    p.add_argument("--peers", action="store_true")
    a = p.parse_args()
    for name in a.models.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            bench(a, os.path.join(a.root, name), scratch)


if __name__ == "__main__":
    main()
