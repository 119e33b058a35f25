#!/usr/bin/env python3
"""exact_score.py JUDGE FLOAT QUANTIZED DATA [options of the judge]

Runs the judge (a script FLOAT QUANTIZED DATA) on an equivalent of QUANTIZED whose int8 weights are uint8 with zero
point + 128. ONNX Runtime's u8 x s8 kernels saturate on x86 without VNNI, its u8 x u8 kernels are exact everywhere, so
these are the figures of a machine with VNNI. Latency is that of the u8 x u8 kernels: take it from the judge alone.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

# Operator: (index of a weight, index of its zero point) for each operand that may be constant.
OPERANDS = {"QLinearConv": [(3, 5)], "QLinearMatMul": [(0, 2), (3, 5)], "MatMulInteger": [(0, 2), (1, 3)],
            "ConvInteger": [(1, 3)], "DequantizeLinear": [(0, 2)]}


def make_unsigned(model):
    graph = model.graph
    initializers = {i.name: i for i in graph.initializer}
    done = {}

    def shifted(name):
        if name not in done:
            done[name] = name + "_plus_128"
            array = (numpy_helper.to_array(initializers[name]).astype(np.int16) + 128).astype(np.uint8)
            graph.initializer.append(numpy_helper.from_array(array, done[name]))
        return done[name]

    graph.initializer.append(numpy_helper.from_array(np.array(128, np.uint8), "zero_point_128"))
    for node in graph.node:
        for weight, zero in OPERANDS.get(node.op_type, []):
            name = node.input[weight]
            if name not in initializers or initializers[name].data_type != onnx.TensorProto.INT8:
                continue
            node.input[weight] = shifted(name)
            while len(node.input) <= zero:
                node.input.append("")
            node.input[zero] = shifted(node.input[zero]) if node.input[zero] else "zero_point_128"
    return model


def main():
    judge, reference, quantized, data, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        exact = os.path.join(folder, "exact.onnx")
        onnx.save(make_unsigned(onnx.load(quantized)), exact)
        return subprocess.call([sys.executable, judge, reference, exact, data, *rest])


if __name__ == "__main__":
    sys.exit(main())
