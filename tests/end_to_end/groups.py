"""Static mode with weights in groups: blocked DequantizeLinear in front of operators between QuantizeLinear and DequantizeLinear. The
result is valid ONNX, loads in ONNX Runtime at its lowest and highest optimization level, and gives there what onnxq's own runtime
gives. ONNX Runtime joins some of it to kernels that quantize the activations once more unless told otherwise, as the session does."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from judge import ONNXQ, SOURCE, own_outputs

WIDTHS = [["--weight-bits", "8", "--group-size", "32"], ["--weight-bits", "4", "--group-size", "16", "--weight-asymmetric"],
          ["--weight-bits", "2", "--group-size", "20"], ["--weight-bits", "5", "--group-size", "16", "--weight-type", "uint8"]]


def peer_outputs(model, images, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"image": image[None]})[0] for image in images])


def judge(name, flags, scratch):
    folder = os.path.join(SOURCE, "models", name)
    data, quantized = os.path.join(scratch, "data.npz"), os.path.join(scratch, "quantized.onnx")
    images = np.load(os.path.join(folder, "eval.npz"))["image"][:200]
    np.savez(data, image=images)
    subprocess.run([ONNXQ, "convert", "--no-cache", os.path.join(folder, "model.onnx"), quantized, "--format", "qdq", "--data",
                    os.path.join(folder, "calib.npz"), "-q", *flags], check=True)
    model = onnx.load(quantized)
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain for o in model.opset_import} == {""}, "not standard ONNX"
    blocked = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and any(a.name == "block_size" for a in n.attribute)]
    assert blocked, "no weights in groups"
    own = own_outputs(quantized, data, os.path.join(scratch, "own"))
    step = (own.max() - own.min()) / 255
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        far = np.abs(own - peer_outputs(quantized, images, level))
        same = float(np.mean(far < 1e-4 * np.abs(own).max()))
        print(f"{name} {' '.join(flags)} {level}: at most {far.max() / step:.2f} steps apart, {same:.4f} the same")
        assert far.max() <= 2 * step and same > .97, "differs"


for model_name in sys.argv[1:]:
    for flag_list in WIDTHS:
        with tempfile.TemporaryDirectory() as folder_name:
            judge(model_name, flag_list, folder_name)
