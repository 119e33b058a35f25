"""Stores the weights of a sample model as integers and judges the result: valid ONNX, standard operators alone, loads in ONNX
Runtime, and gives there what onnxq's own runtime gives. ONNX Runtime joins DequantizeLinear and MatMul to a kernel that quantizes
the activations too unless it is told to compute in float, as the file says: both ways are looked at."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from judge import ONNXQ, SOURCE, own_outputs

WIDTHS = [["--weight-bits", "8"], ["--weight-bits", "4", "--weight-asymmetric"], ["--weight-bits", "2"], ["--weight-bits", "16"],
          ["--weight-bits", "4", "--group-size", "32"], ["--weight-bits", "2", "--group-size", "24", "--weight-asymmetric"],
          ["--weight-bits", "8", "--weight-type", "uint8", "--per-tensor"],
          ["--weight-bits", "3", "--group-size", "16", "--data", "CALIB", "--rounding", "gptq"]]


def peer_outputs(model, images, level, accuracy):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", str(accuracy))
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"image": image[None]})[0] for image in images])


def sqnr(reference, outputs):
    return 10 * np.log10((reference ** 2).sum() / ((reference - outputs) ** 2).sum())


def judge(name, flags, scratch):
    folder = os.path.join(SOURCE, "models", name)
    data = os.path.join(scratch, "data.npz")
    images = np.load(os.path.join(folder, "eval.npz"))["image"][:200]
    np.savez(data, image=images)
    quantized = os.path.join(scratch, "quantized.onnx")
    flags = [os.path.join(folder, "calib.npz") if flag == "CALIB" else flag for flag in flags]
    subprocess.run([ONNXQ, "convert", os.path.join(folder, "model.onnx"), quantized, "--mode", "weight-only", "-q", *flags], check=True)
    model = onnx.load(quantized)
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain for o in model.opset_import} == {""}, "not standard ONNX"
    own = own_outputs(quantized, data, os.path.join(scratch, "own"))
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        far = np.abs(own - peer_outputs(quantized, images, level, 1)).max() / np.abs(own).max()
        assert far < 1e-4, f"{name} {flags} {level}: differs by {far:.2g} of the largest output"
    fast = sqnr(own, peer_outputs(quantized, images, ort.GraphOptimizationLevel.ORT_ENABLE_ALL, 4))
    print(f"{name} {' '.join(flags)}: size {os.path.getsize(quantized) / os.path.getsize(os.path.join(folder, 'model.onnx')):.2f}x, "
          f"ONNX Runtime's default kernels within {fast:.1f} dB")
    assert fast > 25, "ONNX Runtime's default kernels are far off"


for model_name in sys.argv[1:]:
    for flag_list in WIDTHS:
        with tempfile.TemporaryDirectory() as folder_name:
            judge(model_name, flag_list, folder_name)
