"""Writes model.onnx beside it: its output is declared with another rank than it has. Needs numpy and onnx."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

weight = numpy_helper.from_array(np.random.default_rng(1).standard_normal((8, 4)).astype(np.float32), "w")
axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
nodes = [
    helper.make_node("MatMul", ["x", "w"], ["a"], "product"),
    helper.make_node("Unsqueeze", ["a", "axes"], ["y"], "unsqueeze"),
]
value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
graph = helper.make_graph(nodes, "misdeclared", [value("x", 2, 8)], [value("y", 2, "length")], [weight, axes])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
onnx.save(model, os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.onnx"))
