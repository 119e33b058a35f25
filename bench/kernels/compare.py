"""Speed of our kernels beside numpy's BLAS (products) and ONNX Runtime (convolutions), one thread each, paired: every
shape is timed by both in turn, `rounds` times, and the least times are compared.

Usage: compare.py BUILD_FOLDER [rounds] [name part]"""
import os
import re
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper


def least(call, seconds=0.15):
    call()
    best, end = 1e9, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def product(m, n, k):
    a, b, c = np.random.rand(m, k).astype("f"), np.random.rand(k, n).astype("f"), np.empty((m, n), "f")
    return lambda: np.matmul(a, b, out=c)


def session(nodes, initializers, x_type, shape):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", x_type, shape)],
                              [helper.make_tensor_value_info("y", x_type, None)], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def convolution(integers, what, channels, filters, size, kernel, stride):
    pad = kernel // 2 if stride == 1 else 0
    side = (size - 1) * stride + kernel - 2 * pad
    depthwise = what == "depthwise"
    shape = [filters, 1 if depthwise else channels, kernel, kernel]
    attributes = dict(kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=channels if depthwise else 1)
    constant = lambda name, a: onnx.numpy_helper.from_array(np.asarray(a), name)
    if integers:
        initializers = [constant("w", np.random.randint(-64, 65, shape, "i1")), constant("xs", np.float32(.1)), constant("xz", np.uint8(117)),
                        constant("ws", np.full(filters, .01, "f")), constant("wz", np.zeros(filters, "i1")), constant("ys", np.float32(.1)),
                        constant("yz", np.uint8(3)), constant("b", np.ones(filters, "i4"))]
        nodes = [helper.make_node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], **attributes)]
        x, x_type = np.random.randint(0, 256, [1, channels, side, side], "u1"), TensorProto.UINT8
    else:
        initializers = [constant("w", np.random.rand(*shape).astype("f")), constant("b", np.ones(filters, "f")),
                        constant("low", np.float32(0)), constant("high", np.float32(6))]
        nodes = [helper.make_node("Conv", ["x", "w", "b"], ["t"], **attributes), helper.make_node("Clip", ["t", "low", "high"], ["y"])]
        x, x_type = np.random.rand(1, channels, side, side).astype("f"), TensorProto.FLOAT
    run = session(nodes, initializers, x_type, list(x.shape))
    return lambda: run.run(None, {"x": x})


def peer(name):
    kind, *numbers = re.match(r"(gemm_f32) (\d+)x(\d+)x(\d+)", name).groups() if name.startswith("gemm_f32") else ("",)
    if kind:
        return product(*map(int, numbers))
    match = re.match(r"(conv_f32|conv_8) (\w+) (\d+)>(\d+) (\d+)x\d+ k(\d) s(\d)", name)
    return match and convolution(match[1] == "conv_8", match[2], *map(int, match.groups()[2:]))


def main():
    build, rounds, part = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3, sys.argv[3] if len(sys.argv) > 3 else ""
    ours, theirs, calls = {}, {}, {}
    for _ in range(rounds):
        text = subprocess.run([f"{build}/bench_kernels", part] if part else [f"{build}/bench_kernels"], capture_output=True, text=True, check=True).stdout
        for name, microseconds in re.findall(r"^((?:gemm|conv)\S+ .*?)\s+[\d.]+ G\S+\s+([\d.]+) us", text, re.M):
            calls.setdefault(name, peer(name))
            if calls[name]:
                ours[name] = min(ours.get(name, 1e9), float(microseconds))
                theirs[name] = min(theirs.get(name, 1e9), least(calls[name]) * 1e6)
    sums = {}
    for name in ours:
        print(f"{name:44} ours {ours[name]:9.1f} us   theirs {theirs[name]:9.1f} us   {ours[name] / theirs[name]:6.2f}x")
        key = " ".join(name.split()[:2]) if name.startswith("conv") else "gemm_f32"
        total = sums.setdefault(key, [0, 0])
        total[0] += ours[name]
        total[1] += theirs[name]
    for key, (a, b) in sums.items():
        print(f"sum {key:40} ours {a:9.1f} us   theirs {b:9.1f} us   {a / b:6.2f}x")


main()
