"""Normalized pixels reach the first convolution as the very integers that they were, in ONNX Runtime at its lowest and highest
optimization level, and outputs there are those of onnxq's own runtime."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

SOURCE, ONNXQ = os.environ["ONNXQ_SOURCE"], os.environ["ONNXQ"]
sys.path.insert(0, os.path.join(SOURCE, "bench"))
import common  # noqa: E402

MEAN, DEVIATION = (np.array(v, np.float32).reshape(1, 3, 1, 1) for v in ((.485, .456, .406), (.229, .224, .225)))


def normalized(pixels):
    return (pixels.astype(np.float32) / 255 - MEAN) / DEVIATION


def float_model(random):
    """Conv with padding, Relu, mean over the image, Gemm."""
    weights = {"w": random.standard_normal((8, 3, 3, 3)) * .2, "b": random.standard_normal(8) * .1, "g": random.standard_normal((5, 8))}
    constants = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("GlobalAveragePool", ["r"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
             helper.make_node("Gemm", ["f", "g"], ["y"], transB=1)]
    graph = helper.make_graph(nodes, "pixels", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 24, 20])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def peer(model, inputs, outputs, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [session.run(outputs, {"x": x[None]}) for x in inputs]


def judge(folder, form, pixels):
    inputs = normalized(pixels)
    source, target, samples = (os.path.join(folder, name) for name in ("float.onnx", form + ".onnx", "samples.npz"))
    np.savez(samples, x=inputs)
    report = json.loads(subprocess.run([ONNXQ, "convert", "--no-cache", source, target, "--format", form, "--data", samples, "--json"],
                                       check=True, capture_output=True).stdout)
    assert report["exact_input_grids"] == 1, report["exact_input_grids"]
    onnx.checker.check_model(onnx.load(target), full_check=True)
    own_folder = os.path.join(folder, form)
    subprocess.run([ONNXQ, "run", target, "--data", samples, "-o", own_folder, "-q"], check=True)
    exact = onnx.load(common.exact_form(target, target + ".exact.onnx"))
    integers = next(n.output[0] for n in exact.graph.node if n.op_type == "QuantizeLinear")
    exact.graph.output.append(helper.make_tensor_value_info(integers, TensorProto.UINT8, None))
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        for i, (y, q) in enumerate(peer(exact, inputs, ["y", integers], level)):
            own = np.load(os.path.join(own_folder, f"{i}.npz"))["y"]
            assert np.abs(own - y).max() <= 1e-5 * np.abs(own).max(), f"{form}: sample {i} differs"
            # The border is 0 in float: the integer next to the mean.
            assert (q[0, :, 1:-1, 1:-1] == pixels[i]).all(), f"{form}: the integers are no pixels"
            assert (q[0, :, 0, 0] == np.rint(MEAN.ravel() * 255)).all(), f"{form}: wrong border {q[0, :, 0, 0]}"
    print(f"{form}: pixels are exact")


def main():
    random = np.random.default_rng(11)
    pixels = random.integers(0, 256, (12, 3, 24, 20), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(float_model(random), os.path.join(folder, "float.onnx"))
        for form in ("qoperator", "qdq"):
            judge(folder, form, pixels)


if __name__ == "__main__":
    main()
