"""Clips that saturation does the work of come back with their own bounds when the float model is asked for, out of either format, also
after a change of format; a model without them gets none."""
import os
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ONNXQ = os.environ["ONNXQ"]
RANDOM = np.random.default_rng(3)
BOUNDS = [(0, 4), (-1.5, 2.5), (0, 6), (0, None)]  # the last is a Relu; what reaches the third never comes near 6


def make_model(path):
    """Convolutions with a clip behind each; the samples are too small to reach some of the bounds."""
    nodes, weights, value = [], {}, "x"
    for i, (low, high) in enumerate(BOUNDS):
        weights[f"w{i}"] = RANDOM.standard_normal((16, 16, 3, 3)) * (.12 if i != 2 else .02)
        nodes.append(helper.make_node("Conv", [value, f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
        value = f"r{i}"
        if high is None:
            nodes.append(helper.make_node("Relu", [f"c{i}"], [value]))
        else:
            weights[f"low{i}"], weights[f"high{i}"] = np.array(low), np.array(high)
            nodes.append(helper.make_node("Clip", [f"c{i}", f"low{i}", f"high{i}"], [value]))
    weights["last"] = RANDOM.standard_normal((4, 16, 1, 1)) * .3
    nodes.append(helper.make_node("Conv", [value, "last"], ["y"]))
    graph = helper.make_graph(nodes, "clips", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 8, 8])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])],
                              [numpy_helper.from_array(np.float32(array), name) for name, array in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def convert(source, target, *flags):
    subprocess.run([ONNXQ, "convert", source, target, "-q", "--no-cache", *flags], check=True)
    onnx.checker.check_model(onnx.load(target), full_check=True)
    return target


def bounds(path):
    graph = onnx.load(path).graph
    constants = {i.name: float(numpy_helper.to_array(i)) for i in graph.initializer if not i.dims}
    found = []
    for node in graph.node:
        if node.op_type == "Relu":
            found.append((0, None))
        if node.op_type == "Clip":
            found.append(tuple(constants.get(name) for name in [*node.input, ""][1:3]))
    return found


def main():
    with tempfile.TemporaryDirectory() as scratch:
        def at(name):
            return os.path.join(scratch, name + ".onnx")
        model, data = at("model"), os.path.join(scratch, "data.npz")
        make_model(model)
        images = np.float32(RANDOM.standard_normal((40, 16, 8, 8)))
        np.savez(data, x=images)
        for form, other in (("qdq", "qoperator"), ("qoperator", "qdq")):
            quantized = convert(model, at(form), "--data", data, "--format", form)
            kinds = [node.op_type for node in onnx.load(quantized).graph.node]
            assert kinds.count("Clip") + kinds.count("Relu") < len(BOUNDS), f"{form}: saturation does nothing"
            changed = convert(quantized, at("changed"), "--format", other)
            for given in (quantized, changed):
                floats = convert(given, at("floats"), "--dequantize")
                assert bounds(floats) == BOUNDS, f"{form}: {bounds(floats)}"
                # Where the bounds are reached by far: what the float model gives, but for its weights.
                x = 5 * images[:1]
                before, after = (ort.InferenceSession(path).run(None, {"x": x})[0] for path in (model, floats))
                sqnr = 10 * np.log10((before ** 2).sum() / ((before - after) ** 2).sum())
                print(f"{form}: {bounds(floats)}, {sqnr:.1f} dB beyond the calibrated range")
                assert sqnr > 25, f"{form}: {sqnr:.1f} dB"


if __name__ == "__main__":
    main()
