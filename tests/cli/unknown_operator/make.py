"""Writes model.onnx beside it: two products with an operator of an unknown domain between them. Needs numpy and onnx."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(1)


def weight(name, *shape):
    return numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)


nodes = [
    helper.make_node("MatMul", ["x", "w1"], ["a"], "first"),
    helper.make_node("Relu", ["a"], ["b"], "relu"),
    helper.make_node("Swirl", ["b"], ["c d"], "swirl", domain="my.operators", strength=0.5),
    helper.make_node("MatMul", ["c d", "w2"], ["e"], "second"),
    helper.make_node("Reshape", ["e", "shape"], ["f"], "reshape"),
    helper.make_node("Gemm", ["f", "w3"], ["y"], "third"),
]
value = lambda name, n: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", n])
weights = [weight("w1", 8, 16), weight("w2", 16, 8), weight("w3", 8, 4)]
shape = numpy_helper.from_array(np.array([-1, 8], np.int64), "shape")
graph = helper.make_graph(nodes, "unknown_operator", [value("x", 8)], [value("y", 4)], weights + [shape])
imports = [helper.make_opsetid("", 13), helper.make_opsetid("my.operators", 1)]
model = helper.make_model(graph, opset_imports=imports, ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.onnx"))
