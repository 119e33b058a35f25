"""What the benches share: samples, sessions, metrics, and the exact form of a quantized model for machines without VNNI."""
import glob
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

HEAVY = {"Conv", "ConvTranspose", "MatMul", "Gemm", "FusedConv", "FusedMatMul", "FusedGemm", "Attention", "MultiHeadAttention"}
INTEGER = {"QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat",
           "DynamicQuantizeMatMul", "QAttention"}


def samples(folder, part):
    """Inputs of one run each: rows of PART.npz, or one sample per file of the folder PART."""
    path = os.path.join(folder, part)
    if os.path.isdir(path):
        for name in sorted(glob.glob(os.path.join(path, "*.npz"))):
            yield dict(np.load(name))
    else:
        arrays = dict(np.load(path + ".npz"))
        for i in range(len(next(iter(arrays.values())))):
            yield {name: array[i:i + 1] for name, array in arrays.items()}


def data_source(folder, part):
    path = os.path.join(folder, part)
    return path if os.path.isdir(path) else path + ".npz"


def session(path, optimized_to=None, lowest=False, exact_weights=False):
    """All optimizations of ONNX Runtime, or none. exact_weights: products with weights behind DequantizeLinear are computed in
    float32; by default their inputs are rounded to 8 bits."""
    options = ort.SessionOptions()
    if exact_weights:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if lowest:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if optimized_to:
        options.optimized_model_filepath = optimized_to
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def has_vnni():
    """Without it, ONNX Runtime's uint8 x int8 kernels on x86 saturate their 16-bit pair sums."""
    try:
        flags = open("/proc/cpuinfo").read()
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


# Operator: (index of a weight, index of its zero point) for each operand that may be constant.
OPERANDS = {"QLinearConv": [(3, 5)], "QLinearMatMul": [(0, 2), (3, 5)], "MatMulInteger": [(0, 2), (1, 3)],
            "ConvInteger": [(1, 3)], "DequantizeLinear": [(0, 2)]}


def exact_form(path, out):
    """Writes the same model with int8 weights as uint8 around zero point 128: the same numbers, and kernels that are exact
    on every machine."""
    model = onnx.load(path)
    graph = model.graph
    initializers = {i.name: i for i in graph.initializer}
    done = {}

    def shifted(name):
        if name not in done:
            done[name] = name + "_plus_128"
            array = (numpy_helper.to_array(initializers[name]).astype(np.int16) + 128).astype(np.uint8)
            graph.initializer.append(numpy_helper.from_array(array, done[name]))
        return done[name]

    def zeros_for(node):
        """128 in the place of a zero point that is left out: shaped as the scale of DequantizeLinear."""
        scale = numpy_helper.to_array(initializers[node.input[1]]) if node.op_type == "DequantizeLinear" else np.zeros(())
        name = "zero_points_128_" + "x".join(map(str, scale.shape))
        if name not in done:
            done[name] = name
            graph.initializer.append(numpy_helper.from_array(np.full(scale.shape, 128, np.uint8), name))
        return name

    for node in graph.node:
        for weight, zero in OPERANDS.get(node.op_type, []):
            name = node.input[weight]
            if name not in initializers or initializers[name].data_type != onnx.TensorProto.INT8:
                continue
            node.input[weight] = shifted(name)
            while len(node.input) <= zero:
                node.input.append("")
            node.input[zero] = shifted(node.input[zero]) if node.input[zero] else zeros_for(node)
    onnx.save(model, out)
    return out


def kernels(path):
    """(float, integer) matrix products and convolutions that really run, after ONNX Runtime's own fusion."""
    optimized = f"{path}.optimized.{os.getpid()}"
    session(path, optimized)
    kinds = [n.op_type for n in onnx.load(optimized, load_external_data=False).graph.node]
    os.remove(optimized)
    return (sum(k in HEAVY or k.startswith("NhwcFused") for k in kinds), sum(k in INTEGER for k in kinds))


def sqnr(reference, got):
    signal = sum(float((y.astype(np.float64) ** 2).sum()) for y in reference)
    noise = sum(float(((y.astype(np.float64) - z) ** 2).sum()) for y, z in zip(reference, got))
    return 10 * np.log10(signal / noise) if noise > 0 else float("inf")


def agreement(folder, reference, got):
    """Top-1 agreement, or for embeddings the share of samples whose nearest neighbour among the others is the same."""
    task = {"task": "classify"}
    if os.path.exists(os.path.join(folder, "task.json")):
        task = json.load(open(os.path.join(folder, "task.json")))
    if task["task"] == "embed":
        def nearest(outputs):
            e = np.stack([o[0].mean(0) / np.linalg.norm(o[0].mean(0)) for o in outputs])
            return (e @ e.T - 2 * np.eye(len(e))).argmax(1)
        return float(np.mean(nearest(reference) == nearest(got)))
    return float(np.mean([y.argmax() == z.argmax() for y, z in zip(reference, got)]))


def paired_latency(a, b, sample, runs=40):
    """Median milliseconds of both sessions, run in turn, so that a noisy machine slows both."""
    times = ([], [])
    for _ in range(runs + 5):
        for s, t in zip((a, b), times):
            begin = time.perf_counter()
            s.run(None, sample)
            t.append(time.perf_counter() - begin)
    return [1e3 * statistics.median(t[5:]) for t in times]


# Started from a small process, since a child's peak begins with what its parent held when it forked.
LAUNCHER = """import os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss, os.waitstatus_to_exitcode(status))"""


def measured(command):
    """Runs a command; (seconds, peak MB, ok, standard error)."""
    begin = time.perf_counter()
    run = subprocess.run([sys.executable, "-S", "-E", "-c", LAUNCHER, *command], capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    peak, status = run.stdout.split()[-2:]
    return seconds, int(peak) / 1e3, status == "0", run.stderr


def model_folders(root):
    """Folders below ROOT that hold model.onnx with calibration and evaluation samples."""
    found = []
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        has = all(os.path.exists(data_source(folder, part)) for part in ("calib", "eval"))
        if has and (os.path.exists(os.path.join(folder, "model.onnx")) or os.path.exists(os.path.join(folder, "make_model.py"))):
            found.append(folder)
    return found


def model_of(folder, scratch):
    """Path of the float model; some folders build theirs with make_model.py."""
    path = os.path.join(folder, "model.onnx")
    if os.path.exists(path):
        return path
    built = os.path.join(scratch, os.path.basename(folder) + ".onnx")
    if not os.path.exists(built):
        subprocess.run([sys.executable, os.path.join(folder, "make_model.py"), built], check=True)
    return built
