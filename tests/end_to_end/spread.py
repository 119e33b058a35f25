"""Outputs of convolutions with parameters per channel: valid ONNX, the same in ONNX Runtime at its lowest and its highest optimization
level and in onnxq, and an integer kernel at the highest one, for what may stand behind such an output."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

SOURCE, ONNXQ, FORM = os.environ["ONNXQ_SOURCE"], os.environ["ONNXQ"], sys.argv[1]
sys.path.insert(0, os.path.join(SOURCE, "bench"))
import common  # noqa: E402

CHANNELS = 16
TAILS = {
    "gelu": [("Div", ["h", "root"], "d"), ("Erf", ["d"], "e"), ("Add", ["e", "one"], "a"), ("Mul", ["h", "a"], "m"), ("Mul", ["m", "half"], "y")],
    "hard_swish": [("Add", ["h", "three"], "a"), ("Clip", ["a", "zero", "six"], "c"), ("Mul", ["h", "c"], "m"), ("Div", ["m", "six"], "y")],
    "tanh": [("Tanh", ["h"], "y")],
    "transposed": [("Transpose", ["h"], "t", {"perm": [0, 2, 3, 1]}), ("Tanh", ["t"], "y")],
    "pooled": [("MaxPool", ["h"], "p", {"kernel_shape": [2, 2]}), ("Sigmoid", ["p"], "y")],
    "output": [("Identity", ["h"], "y")],
}
SCALARS = {"root": 2 ** .5, "one": 1, "half": .5, "three": 3, "zero": 0, "six": 6}


def float_model(tail, random):
    """Conv, what stands behind it, and another Conv."""
    spread = np.array([20.0] + [.5] * (CHANNELS - 1), np.float32).reshape(-1, 1, 1, 1)
    weights = {"w": random.standard_normal((CHANNELS, 3, 3, 3), np.float32) * spread, "b": random.standard_normal(CHANNELS, np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["h"], pads=[1] * 4)]
    nodes += [helper.make_node(op, inputs, [output], **(rest[0] if rest else {})) for op, inputs, output, *rest in tail]
    constants = [numpy_helper.from_array(v, k) for k, v in weights.items()]
    constants += [numpy_helper.from_array(np.float32(v), k) for k, v in SCALARS.items()]
    graph = helper.make_graph(nodes, "spread", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, list("abcd"))], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def peer(model, samples, level, optimized=None):
    options = ort.SessionOptions()
    options.graph_optimization_level, options.intra_op_num_threads, options.log_severity_level = level, 1, 3
    if optimized:
        options.optimized_model_filepath = optimized
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.stack([session.run(None, {"x": x[None]})[0] for x in samples])


def sqnr(y, z):
    return 10 * np.log10(np.sum(y.astype(np.float64) ** 2) / max(np.sum((y.astype(np.float64) - z) ** 2), 1e-30))


def check(folder, name, tail, random):
    source, target, data = (os.path.join(folder, name + end) for end in (".onnx", ".q.onnx", ".npz"))
    onnx.save(float_model(tail, random), source)
    samples = random.standard_normal((16, 3, 16, 16), np.float32)
    np.savez(data, x=samples)
    subprocess.run([ONNXQ, "convert", "--no-cache", source, target, "--format", FORM, "--data", data, "-q"], check=True)
    quantized = onnx.load(target)
    onnx.checker.check_model(quantized, full_check=True)
    rank = {i.name: len(i.dims) for i in quantized.graph.initializer}
    assert any(n.op_type == "DequantizeLinear" and n.input[0] not in rank and rank[n.input[1]] == 1 for n in quantized.graph.node), \
        f"{name}: no output with parameters per channel"
    exact, level = common.exact_form(target, target + ".exact.onnx"), ort.GraphOptimizationLevel
    y = peer(source, samples, level.ORT_ENABLE_ALL)
    low, high = peer(exact, samples, level.ORT_DISABLE_ALL), peer(exact, samples, level.ORT_ENABLE_ALL, target + ".optimized.onnx")
    subprocess.run([ONNXQ, "run", target, "--data", data, "-o", os.path.join(folder, name), "-q"], check=True)
    own = np.stack([np.load(os.path.join(folder, name, f"{i}.npz"))["y"] for i in range(len(samples))])
    figures = [sqnr(y, z) for z in (own, low, high)]
    print(f"{FORM} {name}: {figures[0]:.2f} dB, in ONNX Runtime {figures[1]:.2f} and {figures[2]:.2f}")
    assert max(figures) - min(figures) < .3 and min(figures) > 20, name
    operators = {n.op_type for n in onnx.load(target + ".optimized.onnx").graph.node}
    assert "QLinearConv" in operators and "Conv" not in operators, f"{name}: {operators}"


def main():
    random = np.random.default_rng(4)
    with tempfile.TemporaryDirectory() as folder:
        for name, tail in TAILS.items():
            check(folder, name, tail, random)


if __name__ == "__main__":
    main()
