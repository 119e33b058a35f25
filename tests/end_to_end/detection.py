"""Detectors: what box decoding, NonMaxSuppression and TopK take stays float from the last layers on. Valid ONNX, the same in ONNX
Runtime at its lowest and its highest optimization level and in onnxq, and less error in every branch than without guards."""
import json
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

SIZE, CLASSES, BEST = 96, 5, 20


class Net:
    """A graph as it is written down, with a backbone that halves the image three and four times."""

    def __init__(self, seed):
        self.random, self.nodes, self.constants = np.random.default_rng(seed), [], {}
        x = self.conv("image", 3, 16, stride=2)
        x = self.conv(x, 16, 32, stride=2)
        fine = self.conv(x, 32, 64, stride=2)
        self.maps = {8: fine, 16: self.conv(fine, 64, 64, stride=2)}

    def const(self, value, dtype=np.float32):
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def put(self, op, *inputs, output=None, **attributes):
        output = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{output}_node", **attributes))
        return output

    def conv(self, x, inputs, outputs, kernel=3, stride=1, gain=1.0, bias=0.0, name=None):
        weights = self.random.standard_normal((outputs, inputs, kernel, kernel)) * gain * np.sqrt(2 / (inputs * kernel ** 2))
        biases = np.broadcast_to(bias, outputs) + self.random.standard_normal(outputs) * .1
        y = self.put("Conv", x, self.const(weights), self.const(biases), output=name, strides=[stride] * 2, pads=[kernel // 2] * 4)
        return y if name else self.put("Relu", y)

    def slice(self, x, begin, end, axis):
        return self.put("Slice", x, self.const([begin], np.int64), self.const([end], np.int64), self.const([axis], np.int64))

    def model(self, **outputs):
        graph = helper.make_graph(self.nodes, "detector", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
                                  [helper.make_tensor_value_info(k, *v) for k, v in outputs.items()],
                                  [numpy_helper.from_array(v, k) for k, v in self.constants.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def cells(stride):
    return np.stack(np.meshgrid(*[np.arange(SIZE // stride)] * 2)).reshape(2, -1)


def ssd():
    """Windows of nine elements as heads, boxes relative to priors, NonMaxSuppression."""
    net, boxes, scores, priors = Net(1), [], [], []
    for stride, x in net.maps.items():
        for name, channels, into, how in (("box", 4, boxes, {}), ("score", CLASSES, scores, {"gain": 1.5, "bias": -3})):
            head = net.put("Transpose", net.conv(x, 64, channels, name=f"{name}{stride}", **how), perm=[0, 2, 3, 1])
            into.append(net.put("Reshape", head, net.const([1, -1, channels], np.int64)))
        priors.append(np.concatenate([(cells(stride) + .5) * stride / SIZE, np.full((2, (SIZE // stride) ** 2), 2 * stride / SIZE)]).T)
    prior, box = np.concatenate(priors)[None], net.put("Concat", *boxes, axis=1)
    score = net.put("Sigmoid", net.put("Concat", *scores, axis=1), output="scores")
    size = net.const(prior[:, :, 2:] / 2)
    middle = net.put("Add", net.put("Mul", net.slice(box, 0, 2, 2), size), net.const(prior[:, :, :2]))
    half = net.put("Mul", net.put("Exp", net.slice(box, 2, 4, 2)), size)
    box = net.put("Concat", net.put("Sub", middle, half), net.put("Add", middle, half), output="boxes", axis=2)
    net.put("NonMaxSuppression", box, net.put("Transpose", score, perm=[0, 2, 1]), net.const(BEST, np.int64), net.const(.5), net.const(.3),
            output="selected")
    return net.model(boxes=(TensorProto.FLOAT, [1, None, 4]), scores=(TensorProto.FLOAT, [1, None, CLASSES]),
                     selected=(TensorProto.INT64, [None, 3]))


def yolo():
    """Heads of one element, boxes in pixels and scores side by side in one output."""
    net, parts = Net(2), []
    for stride, x in net.maps.items():
        head = net.conv(x, 64, 4 + CLASSES, kernel=1, bias=[0] * 4 + [-4] * CLASSES, name=f"head{stride}")
        head = net.put("Reshape", head, net.const([1, 4 + CLASSES, -1], np.int64))
        pixels = net.const(stride)
        middle = net.put("Mul", net.put("Add", net.put("Sigmoid", net.slice(head, 0, 2, 1)), net.const(cells(stride)[None])), pixels)
        size = net.put("Mul", net.put("Exp", net.slice(head, 2, 4, 1)), pixels)
        parts.append(net.put("Concat", middle, size, net.put("Sigmoid", net.slice(head, 4, 4 + CLASSES, 1)),
                             output=f"part{stride}", axis=1))
    net.put("Concat", *parts, output="output", axis=2)
    return net.model(output=(TensorProto.FLOAT, [1, 4 + CLASSES, None]))


def peaks():
    """The highest places of a map."""
    net = Net(3)
    heat = net.put("Sigmoid", net.conv(net.maps[8], 64, CLASSES, kernel=1, gain=1.5, bias=-4, name="heat"))
    heat = net.put("Reshape", heat, net.const([1, -1], np.int64))
    net.nodes.append(helper.make_node("TopK", [heat, net.const([BEST], np.int64)], ["best", "where"], name="top", axis=1))
    return net.model(best=(TensorProto.FLOAT, [1, BEST]), where=(TensorProto.INT64, [1, BEST]))


def sqnr(y, z):
    return 10 * np.log10(np.sum(y.astype(np.float64) ** 2) / np.sum((y.astype(np.float64) - z) ** 2))


def all_of(outputs, name):
    return np.stack([o[name] for o in outputs])


def common_share(y, z):
    return np.mean([len(a & b) / max(1, len(a | b)) for a, b in zip(y, z)])


# Per model: the nodes that guards name, whether heads stay integer, and figures of outputs, better when larger.
MODELS = {
    "ssd": (ssd, "NonMaxSuppression 'selected_node'", False, lambda y, z: {
        "boxes dB": sqnr(all_of(y, "boxes"), all_of(z, "boxes")), "scores dB": sqnr(all_of(y, "scores"), all_of(z, "scores")),
        "same boxes selected": common_share(*[[set(map(tuple, o["selected"])) for o in x] for x in (y, z)])}),
    "yolo": (yolo, "Concat 'part8_node'", True, lambda y, z: {
        "boxes dB": sqnr(all_of(y, "output")[:, :, :4], all_of(z, "output")[:, :, :4]),
        "scores dB": sqnr(all_of(y, "output")[:, :, 4:], all_of(z, "output")[:, :, 4:])}),
    "peaks": (peaks, "TopK 'top'", True, lambda y, z: {
        "best dB": sqnr(all_of(y, "best"), all_of(z, "best")), "scores told apart": np.mean([len(np.unique(o["best"])) for o in z]),
        "same places": common_share(*[[set(o["where"][0]) for o in x] for x in (y, z)])}),
}


def images(count, seed):
    random = np.random.default_rng(seed)
    coarse = np.kron(random.standard_normal((count, 3, SIZE // 8, SIZE // 8)), np.ones((1, 1, 8, 8)))
    return (coarse + .4 * random.standard_normal(coarse.shape)).astype(np.float32)


def peer(model, samples, level):
    options = ort.SessionOptions()
    options.graph_optimization_level, options.intra_op_num_threads, options.log_severity_level = level, 1, 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return [dict(zip(names, session.run(None, {"image": x[None]}))) for x in samples]


def own(model, data, folder, count):
    subprocess.run([ONNXQ, "run", model, "--data", data, "-o", folder, "-q"], check=True)
    return [dict(np.load(os.path.join(folder, f"{i}.npz"))) for i in range(count)]


def convert(source, target, data, *options):
    """Not tuned, so that whether a correction is kept does not decide the comparison."""
    done = subprocess.run([ONNXQ, "convert", "--no-cache", source, target, "--format", FORM, "--data", data, "--json", "--no-correct",
                           "--rounding", "nearest", *options], check=True, capture_output=True, text=True)
    onnx.checker.check_model(onnx.load(target), full_check=True)
    return json.loads(done.stdout)["plan"]


def judge(folder, name, make, end, point_heads, figures):
    source, calib, data = (os.path.join(folder, f"{name}{tail}") for tail in (".onnx", ".calib.npz", ".eval.npz"))
    model, samples, level = make(), images(16, 6), ort.GraphOptimizationLevel
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, source)
    np.savez(calib, image=images(40, 5))
    np.savez(data, image=samples)
    y, found = peer(source, samples, level.ORT_ENABLE_ALL), {}
    for guard in ("guarded", "not guarded"):
        target = os.path.join(folder, f"{name} {guard}.onnx")
        plan = convert(source, target, calib, *([] if guard == "guarded" else ["--no-guards"]))
        exact = common.exact_form(target, target + ".exact.onnx")
        runs = [own(target, data, target + ".own", len(samples)), peer(exact, samples, level.ORT_DISABLE_ALL),
                peer(exact, samples, level.ORT_ENABLE_ALL)]
        found[guard], *others = [figures(y, z) for z in runs]
        print(f"{FORM} {name}, {guard}: " + ", ".join(f"{k} {v:.2f}" for k, v in found[guard].items()))
        for other in others:
            assert all(abs(v - other[k]) < .3 or not k.endswith("dB") for k, v in found[guard].items()), (name, found[guard], other)
        reasons = [n["reason"] for n in plan["nodes"] + plan.get("guards", []) if "reason" in n]
        assert any(end in r for r in reasons) == (guard == "guarded"), reasons
        assert plan["quantized"] == plan["products"], plan
    # Heads of larger windows have 8-bit results either way.
    assert all(v > found["not guarded"][k] - (not point_heads) * .01 for k, v in found["guarded"].items() if not k.startswith("same")), found


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, how in MODELS.items():
            judge(folder, name, *how)


if __name__ == "__main__":
    main()
