"""--per-tensor on layers whose rows differ much in size: they become a few with one scale each, which are valid ONNX, give in ONNX
Runtime at its lowest and highest optimization level what onnxq's own runtime gives, and lose less than the whole layers."""
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

CHANNELS, SUMMED = 48, 24


def float_model(random, summed):
    """Conv, Clip, depthwise Conv, Clip that all channels reach, Conv, (Clip, a residual sum with another Conv, Conv,) mean over the image; rows
    of sizes 1 and 60, large ones behind small ones."""
    far, wide = (np.where(random.permutation(n) < n // 4, 60, 1).reshape(-1, 1, 1, 1) for n in (CHANNELS, SUMMED))
    weights = {"w": random.standard_normal((CHANNELS, 3, 3, 3)) * far * .1, "b": random.standard_normal(CHANNELS) + 3,
               "d": random.standard_normal((CHANNELS, 1, 3, 3)) * (61 - far) * .02, "e": random.standard_normal(CHANNELS) + 3,
               "p": random.standard_normal((SUMMED if summed else 6, CHANNELS, 1, 1)) * .1, "low": np.zeros(()), "high": np.full((), 6)}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], name="stem"),
             helper.make_node("Clip", ["c", "low", "high"], ["k"]),
             helper.make_node("Conv", ["k", "d", "e"], ["m"], group=CHANNELS, pads=[1, 1, 1, 1], name="depthwise"),
             helper.make_node("Clip", ["m", "low", "high"], ["n"]), helper.make_node("Conv", ["n", "p"], ["o"], name="project")]
    if summed:
        weights.update({"p": weights["p"] * wide, "r": random.standard_normal((SUMMED, SUMMED, 1, 1)) * wide * .02,
                        "z": random.standard_normal((6, SUMMED, 3, 3)) / wide[:, 0]})
        nodes += [helper.make_node("Clip", ["o", "low", "high"], ["i"]), helper.make_node("Conv", ["i", "r"], ["q"], name="branch"),
                  helper.make_node("Add", ["i", "q"], ["s"], name="sum"), helper.make_node("Conv", ["s", "z"], ["t"], name="last")]
    nodes.append(helper.make_node("GlobalAveragePool", [nodes[-1].output[0]], ["y"]))
    constants = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "rows", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 12, 12])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6, 1, 1])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def outputs(path, inputs, level):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = level
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": x[None]})[0] for x in inputs])


def convert(source, target, form, samples, *flags):
    run = subprocess.run([ONNXQ, "convert", "--no-cache", source, target, "--format", form, "--data", samples, "--per-tensor", "--json",
                          *flags], check=True, capture_output=True)
    onnx.checker.check_model(onnx.load(target), full_check=True)
    return json.loads(run.stdout)


def one_scale_each(path):
    """Whether all scales in the file are scalars (or of one element)."""
    graph = onnx.load(path).graph
    scales = {n.input[1] for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")}
    scales |= {n.input[i] for n in graph.node if n.op_type == "QLinearConv" for i in (1, 4, 6)}
    return all(np.prod(i.dims) == 1 for i in graph.initializer if i.name in scales)


def sums_integers(path):
    """Whether the sum of what was split takes integers: a Concat of integers stands right before it."""
    graph = onnx.load(path).graph
    made = {o: n for n in graph.node for o in n.output}
    sums = [n for n in graph.node if n.op_type == "Add" and n.name == "sum"]
    dequantized = [made[i] for n in sums for i in n.input]
    return dequantized and all(d.op_type == "DequantizeLinear" and made[d.input[0]].op_type == "Concat" for d in dequantized)


def compare(source, target, form, inputs, samples):
    """What onnxq's own runtime gives, which ONNX Runtime gives too, and what the float model gives."""
    own = target + ".own"
    subprocess.run([ONNXQ, "run", target, "--data", samples, "-o", own, "-q"], check=True)
    mine = np.concatenate([np.load(os.path.join(own, f"{i}.npz"))["y"] for i in range(len(inputs))])
    exact = common.exact_form(target, target + ".exact.onnx")
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        got = outputs(exact, inputs, level)
        # A last bit of float arithmetic may round an integer the other way.
        assert np.abs(mine - got).max() <= 1e-3 * np.abs(got).max(), f"{form}: differs from ONNX Runtime"
    return mine, outputs(source, inputs, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)


def judge(folder, form, inputs):
    source, target, whole, samples = (os.path.join(folder, name) for name in ("float.onnx", form + ".onnx", "whole.onnx", "x.npz"))
    assert convert(source, whole, form, samples, "--no-split")["layers_split"] == 0
    assert convert(source, whole, form, samples, "--include", "*e*")["layers_split"] == 0
    assert convert(source, whole, form, samples, "--exclude", "stem")["layers_split"] == 0
    plain = ("--rounding", "nearest", "--no-correct")
    convert(source, whole, form, samples, "--no-split", *plain)
    assert convert(source, target, form, samples, *plain)["layers_split"] == 1
    assert form == "qdq" or one_scale_each(target)
    mine, wanted = compare(source, target, form, inputs, samples)
    less = outputs(common.exact_form(whole, whole + ".exact.onnx"), inputs, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    errors = [((y - wanted)**2).sum() for y in (mine, less)]
    print(form, "errors", errors)
    assert errors[0] < errors[1] / 2, errors


def judge_sum(folder, form, inputs):
    """Layers in front of a sum, whose channels change their order everywhere; the sum still takes integers."""
    source, target, samples = (os.path.join(folder, name) for name in ("summed.onnx", "summed-" + form + ".onnx", "x.npz"))
    assert convert(source, target, form, samples, "--rounding", "nearest", "--no-correct")["layers_split"] == 3
    assert sums_integers(target), f"{form}: a sum of floats"
    mine, wanted = compare(source, target, form, inputs, samples)
    assert np.corrcoef(mine.ravel(), wanted.ravel())[0, 1] > .99


def main():
    random = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(float_model(random, False), os.path.join(folder, "float.onnx"))
        onnx.save(float_model(random, True), os.path.join(folder, "summed.onnx"))
        inputs = (random.integers(-128, 128, (24, 3, 12, 12)) / 64).astype(np.float32)  # a grid holds them
        np.savez(os.path.join(folder, "x.npz"), x=inputs)
        for form in ("qdq", "qoperator"):
            judge(folder, form, inputs)
            judge_sum(folder, form, inputs)


if __name__ == "__main__":
    main()
