"""Converts a sample model and judges the result: valid ONNX, loads in ONNX Runtime at its lowest and highest optimization level,
gives there what onnxq's own runtime gives, and loses at most 0.3 points of accuracy."""
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


def peer_outputs(model, images, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"image": image[None]})[0] for image in images])


def main():
    name, form = sys.argv[1:3]
    folder = os.path.join(SOURCE, "models", name)
    model, data = os.path.join(folder, "model.onnx"), os.path.join(folder, "eval.npz")
    images, labels = np.load(data)["image"], np.load(os.path.join(folder, "labels.npy"))
    with tempfile.TemporaryDirectory() as scratch:
        quantized = os.path.join(scratch, "quantized.onnx")
        subprocess.run([ONNXQ, "convert", "--no-cache", model, quantized, "--bits", "8", "--per-channel", "--format", form, "--data",
                        os.path.join(folder, "calib.npz"), "-q"], check=True)
        onnx.checker.check_model(onnx.load(quantized), full_check=True)
        domains = {o.domain for o in onnx.load(quantized).opset_import}
        assert domains == {""}, f"not standard ONNX: {domains}"

        own = own_outputs(quantized, data, os.path.join(scratch, "own"))
        own_float = own_outputs(model, data, os.path.join(scratch, "float"))
        peer_float = peer_outputs(model, images, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
        worst = np.abs(own_float - peer_float).max() / np.abs(peer_float).max()
        assert worst < 1e-4, f"the float models differ by {worst:.2g} of the largest output"

        exact = common.exact_form(quantized, quantized + ".exact.onnx")
        step = (own.max() - own.min()) / 255
        for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
            peer = peer_outputs(exact, images, level)
            far = np.abs(own - peer)
            same = float(np.mean(far < 1e-4 * np.abs(own).max()))
            assert far.max() <= 2 * step and same > .97, f"{level}: differs by {far.max():.3g}, {same:.4f} the same"

        accuracy, accuracy_float = (float(np.mean(y.argmax(1) == labels)) for y in (own, peer_float))
        print(f"{name} {form}: accuracy {accuracy:.4f}, float {accuracy_float:.4f}, size "
              f"{os.path.getsize(quantized) / os.path.getsize(model):.2f}x")
        assert accuracy >= accuracy_float - .003, "loses more than 0.3 points"


if __name__ == "__main__":
    main()
