"""Dynamic mode on sample models: without data, valid standard ONNX, loads in ONNX Runtime at its lowest and highest optimization level,
where matrix products fuse to its dynamic kernel, and gives there what it gives in onnxq."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort

SOURCE, ONNXQ = os.environ["ONNXQ_SOURCE"], os.environ["ONNXQ"]
sys.path.insert(0, os.path.join(SOURCE, "bench"))
import common  # noqa: E402
from own import own_outputs  # noqa: E402


def peer_outputs(model, images, level, optimized):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.optimized_model_filepath = optimized
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"image": image[None]})[0] for image in images])


def check(name, flags, scratch, share=1, least=25):
    folder = os.path.join(SOURCE, "models", name)
    model, data = os.path.join(folder, "model.onnx"), os.path.join(folder, "calib.npz")
    images = np.load(data)["image"]
    quantized = os.path.join(scratch, name + ".onnx")
    subprocess.run([ONNXQ, "convert", model, quantized, "--mode", "dynamic", "-q", *flags], check=True)
    onnx.checker.check_model(onnx.load(quantized), full_check=True)
    assert {o.domain for o in onnx.load(quantized).opset_import} == {""}, "not standard ONNX"
    own = own_outputs(quantized, data, os.path.join(scratch, f"{name}_own{len(flags)}"))
    floats = own_outputs(model, data, os.path.join(scratch, f"{name}_float{len(flags)}"))
    sqnr = 10 * np.log10(np.sum(floats ** 2) / np.sum((floats - own) ** 2))
    exact = common.exact_form(quantized, quantized + ".exact.onnx")
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        optimized = os.path.join(scratch, "optimized.onnx")
        peer = peer_outputs(exact, images, level, optimized)
        noise = float(np.sum((own - peer) ** 2) / np.sum(own ** 2))
        assert noise < 1e-4, f"{name}: {10 * np.log10(noise):.1f} dB from ONNX Runtime at {level}"
    kinds = [node.op_type for node in onnx.load(optimized).graph.node]
    print(f"{name} {' '.join(flags)}: {sqnr:.1f} dB, {os.path.getsize(quantized) / os.path.getsize(model):.2f}x, "
          f"{kinds.count('DynamicQuantizeMatMul')} DynamicQuantizeMatMul of {len(kinds)} nodes")
    assert sqnr > least and "MatMulInteger" not in kinds, f"{name}: {sqnr:.1f} dB, {sorted(set(kinds))}"
    assert os.path.getsize(quantized) < share * os.path.getsize(model), f"{name}: {os.path.getsize(quantized)} bytes"


def main():
    with tempfile.TemporaryDirectory() as scratch:
        for name in sys.argv[1:]:
            check(name, [], scratch)
            check(name, ["--ops", "Conv,MatMul,Gemm"], scratch)
            # Stored in 4 bits; the Cast to bytes is computed when the model is loaded.
            check(name, ["--weight-bits", "4", "--ops", "Conv,MatMul,Gemm"], scratch, share=0.6, least=10)


if __name__ == "__main__":
    main()
