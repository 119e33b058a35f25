"""A block with HardSwish, SiLU, squeeze and excitation, residual sums (one with a Relu behind), LeakyRelu, a Concat, a ConvTranspose and a PRelu: valid ONNX in which ONNX Runtime computes
all of it on integers, the same there at the lowest and highest optimization level (to within steps of integers) as in onnxq. Its
depthwise convolution gets zero channels, which change no output bit there."""
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

CHANNELS = 12


def float_model(random):
    constants, nodes = [], []

    def conv(x, y, inputs, kernel, group=1, gain=1):
        weight = random.standard_normal((CHANNELS, inputs // group, kernel, kernel)) / np.sqrt(inputs // group * kernel * kernel)
        constants.append(numpy_helper.from_array((gain * weight).astype(np.float32), y + "_w"))
        constants.append(numpy_helper.from_array((random.standard_normal(CHANNELS) * .3).astype(np.float32), y + "_b"))
        nodes.append(helper.make_node("Conv", [x, y + "_w", y + "_b"], [y], group=group, pads=[kernel // 2] * 4))

    conv("x", "a", 3, 3)
    nodes.append(helper.make_node("HardSigmoid", ["a"], ["ag"], alpha=1 / 6, beta=.5))
    nodes.append(helper.make_node("Mul", ["a", "ag"], ["h"]))
    conv("h", "d", CHANNELS, 3, CHANNELS)
    nodes.append(helper.make_node("Sigmoid", ["d"], ["dg"]))
    nodes.append(helper.make_node("Mul", ["d", "dg"], ["s"]))
    nodes.append(helper.make_node("GlobalAveragePool", ["s"], ["p"]))
    conv("p", "e", CHANNELS, 1)
    nodes.append(helper.make_node("HardSigmoid", ["e"], ["eg"]))
    nodes.append(helper.make_node("Mul", ["s", "eg"], ["m"]))
    conv("m", "r", CHANNELS, 1)
    nodes.append(helper.make_node("Add", ["r", "a"], ["sum"]))
    conv("sum", "t", CHANNELS, 1)
    nodes.append(helper.make_node("Add", ["t", "sum"], ["clipped_sum"]))
    nodes.append(helper.make_node("Relu", ["clipped_sum"], ["relu"]))
    conv("relu", "u", CHANNELS, 3, gain=8)  # far wider than v
    nodes.append(helper.make_node("LeakyRelu", ["u"], ["leaky"], alpha=.1))
    conv("relu", "v", CHANNELS, 1)
    nodes.append(helper.make_node("Concat", ["leaky", "v"], ["both"], axis=1))
    conv("v", "z", CHANNELS, 1)
    conv("both", "b", 2 * CHANNELS, 1)
    constants.append(numpy_helper.from_array((random.standard_normal((CHANNELS, 8, 4, 4)) * .15).astype(np.float32), "tw"))
    constants.append(numpy_helper.from_array((random.standard_normal(8) * .3).astype(np.float32), "tb"))
    nodes.append(helper.make_node("ConvTranspose", ["b", "tw", "tb"], ["up"], strides=[2, 2], pads=[1, 1, 1, 1]))
    nodes.append(helper.make_node("MaxPool", ["up"], ["down"], strides=[2, 2], kernel_shape=[2, 2]))
    constants.append(numpy_helper.from_array(random.uniform(-.2, .5, (CHANNELS, 1, 1)).astype(np.float32), "slope"))
    conv("down", "k", 8, 1)
    nodes.append(helper.make_node("PRelu", ["k", "slope"], ["sloped"]))
    conv("sloped", "c", CHANNELS, 1)
    nodes.append(helper.make_node("Concat", ["c", "z"], ["y"], axis=1))
    graph = helper.make_graph(nodes, "block", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 12, 10])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2 * CHANNELS, 12, 10])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def peer(model, inputs, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["y"], {"x": x[None]})[0] for x in inputs])


def sqnr(expected, got):
    return 10 * np.log10(np.sum(expected.astype(np.float64) ** 2) / np.sum((expected.astype(np.float64) - got) ** 2))


def main():
    random = np.random.default_rng(3)
    inputs = random.standard_normal((24, 3, 12, 10)).astype(np.float32)
    form = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        source, target, samples = (os.path.join(folder, name) for name in ("float.onnx", "out.onnx", "samples.npz"))
        onnx.save(float_model(random), source)
        np.savez(samples, x=inputs)
        page = os.path.join(folder, "page.html")
        told = subprocess.run([ONNXQ, "convert", "--no-cache", source, target, "--format", form, "--data", samples, "--report", page],
                              check=True, capture_output=True, text=True).stderr
        assert "zero channels added" in told and ": 4 of the output, 0 of the input" in told, told
        assert "4 zero channels of the output" in open(page).read()
        onnx.checker.check_model(onnx.load(target), full_check=True)
        subprocess.run([ONNXQ, "run", target, "--data", samples, "-o", os.path.join(folder, "own"), "-q"], check=True)
        own = np.concatenate([np.load(os.path.join(folder, "own", f"{i}.npz"))["y"] for i in range(len(inputs))])
        true = peer(source, inputs, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
        plain = os.path.join(folder, "plain.onnx")
        subprocess.run([ONNXQ, "convert", "--no-cache", source, plain, "--format", form, "--data", samples, "--no-zero-channels", "-q"],
                       check=True)
        groups = [[a.i for n in onnx.load(f).graph.node for a in n.attribute if a.name == "group" and a.i > 1] for f in (plain, target)]
        assert groups == [[12, 12, 12], [16, 16, 16]], groups
        assert np.array_equal(*(peer(f, inputs, ort.GraphOptimizationLevel.ORT_ENABLE_ALL) for f in (plain, target)))
        exact = common.exact_form(target, target + ".exact.onnx")
        for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
            got = peer(exact, inputs, level)
            apart, loss = sqnr(own, got), sqnr(true, got) - sqnr(true, own)
            print(f"{form}, {level}: {sqnr(true, got):.2f} dB, onnxq and ONNX Runtime {apart:.1f} dB apart")
            assert apart > 40 and abs(loss) < .3 and sqnr(true, own) > 25
        common.session(target, target + ".optimized.onnx")
        kinds = [n.op_type for n in onnx.load(target + ".optimized.onnx").graph.node]
        left = [k for k in kinds if k in ("Mul", "Add", "HardSigmoid", "Sigmoid", "GlobalAveragePool", "Conv", "Relu", "LeakyRelu", "ConvTranspose", "PRelu")]
        assert "QLinearConcat" in kinds, kinds
        assert not left, f"not on integers in ONNX Runtime: {left}"


if __name__ == "__main__":
    main()
