"""Outputs of convolutions with parameters per channel, convolutions along one axis and matrix products with float results: valid ONNX,
the same in ONNX Runtime at its lowest and its highest optimization level and in onnxq, and an integer kernel at the highest one."""
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


LINES = {
    "line": ([2, 48, 40], [32, 48, 5], {}),
    "line_padded": ([2, 48, 40], [32, 48, 5], {"pads": [2, 3], "strides": [2]}),
    "line_standing": ([1, 48, 40, 1], [32, 48, 5, 1], {"dilations": [2, 1]}),
    "line_lying": ([1, 160, 1, 40], [32, 160, 1, 1], {"strides": [1, 3]}),
}


def line_model(shape, kernel, attributes, random):
    weights = {"w": random.standard_normal(kernel, np.float32), "b": random.standard_normal(kernel[0], np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["h"], **attributes), helper.make_node("HardSigmoid", ["h"], ["y"], alpha=.01)]
    graph = helper.make_graph(nodes, "line", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, list("abcd")[:len(shape)])],
                              [numpy_helper.from_array(v, k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def matrix_model(random):
    """MatMul and Add with all sizes known, which ONNX Runtime would make a float Gemm."""
    weights = {"w": random.standard_normal((64, 32), np.float32), "b": random.standard_normal(32, np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["h"]),
             helper.make_node("HardSigmoid", ["h"], ["y"], alpha=.01)]
    graph = helper.make_graph(nodes, "matrix", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 40, 64])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 40, 32])],
                              [numpy_helper.from_array(v, k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def spread_model(tail, random):
    """Conv and what stands behind it."""
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
    return np.stack([session.run(None, {"x": x})[0] for x in samples])


def sqnr(y, z):
    return 10 * np.log10(np.sum(y.astype(np.float64) ** 2) / max(np.sum((y.astype(np.float64) - z) ** 2), 1e-30))


def check(folder, name, model, random):
    """Converts, compares; gives the quantized model and the operators that ONNX Runtime makes of it."""
    source, target, data = (os.path.join(folder, name + end) for end in (".onnx", ".q.onnx", ".npz"))
    onnx.save(model, source)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    samples = random.standard_normal((16, *shape), np.float32)
    os.mkdir(data[:-4] + "_data")
    for i, x in enumerate(samples):
        np.savez(os.path.join(data[:-4] + "_data", f"{i:02}.npz"), x=x)
    data = data[:-4] + "_data"
    subprocess.run([ONNXQ, "convert", "--no-cache", source, target, "--format", FORM, "--data", data, "-q"], check=True)
    quantized = onnx.load(target)
    onnx.checker.check_model(quantized, full_check=True)
    exact, level = common.exact_form(target, target + ".exact.onnx"), ort.GraphOptimizationLevel
    y = peer(source, samples, level.ORT_ENABLE_ALL)
    low, high = peer(exact, samples, level.ORT_DISABLE_ALL), peer(exact, samples, level.ORT_ENABLE_ALL, target + ".optimized.onnx")
    subprocess.run([ONNXQ, "run", target, "--data", data, "-o", os.path.join(folder, name), "-q"], check=True)
    own = np.stack([np.load(os.path.join(folder, name, f"{i}.npz"))["y"] for i in range(len(samples))])
    figures = [sqnr(y, z) for z in (own, low, high)]
    print(f"{FORM} {name}: {figures[0]:.2f} dB, in ONNX Runtime {figures[1]:.2f} and {figures[2]:.2f}")
    assert max(figures) - min(figures) < .3 and min(figures) > 20, name
    return quantized, {n.op_type for n in onnx.load(target + ".optimized.onnx").graph.node}


def main():
    random = np.random.default_rng(4)
    with tempfile.TemporaryDirectory() as folder:
        for name, tail in TAILS.items():
            quantized, operators = check(folder, name, spread_model(tail, random), random)
            rank = {i.name: len(i.dims) for i in quantized.graph.initializer}
            assert any(n.op_type == "DequantizeLinear" and n.input[0] not in rank and rank[n.input[1]] == 1 for n in quantized.graph.node), \
                f"{name}: no output with parameters per channel"
            assert "QLinearConv" in operators and "Conv" not in operators, f"{name}: {operators}"
        models = {name: line_model(*line, random) for name, line in LINES.items()} | {"matrix": matrix_model(random)}
        for name, model in models.items():
            _, operators = check(folder, name, model, random)
            assert operators & {"MatMulInteger", "MatMulIntegerToFloat"} and not operators & {"Conv", "QLinearConv", "MatMul", "Gemm"}, \
                f"{name}: {operators}"


if __name__ == "__main__":
    main()
