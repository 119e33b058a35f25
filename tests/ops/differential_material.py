"""Random material for tests/ops/differential.py: every draw comes from one generator, so a seed says all."""

import numpy as np


class Material:
    def __init__(self, random):
        self.random = random

    def size(self, low, high):
        return int(self.random.integers(low, high + 1))

    def bit(self):
        return bool(self.random.integers(0, 2))

    def rarely(self, times=4):
        return self.size(1, times) == 1

    def choice(self, options):
        return options[self.size(0, len(options) - 1)]

    def shape(self, low=0, high=4, most=5):
        """A random shape of rank low to high; an axis is empty now and then."""
        shape = [self.size(1, most) for _ in range(self.size(low, high))]
        if shape and self.rarely(30):
            shape[self.size(0, len(shape) - 1)] = 0
        return shape

    def broadcast(self, shape):
        """A shape that broadcasts to `shape`."""
        return [1 if self.rarely() else d for d in shape[self.size(0, len(shape)) if self.rarely(3) else 0:]]

    def axis(self, rank):
        return self.size(-rank, rank - 1)

    def axes(self, rank, least=1):
        chosen = sorted(self.random.permutation(rank)[:self.size(least, rank)].tolist())
        return [int(a) - rank if self.rarely() else int(a) for a in chosen]

    def floats(self, *shape, dtype=np.float32, scale=1.0):
        return np.asarray(self.random.normal(0, scale, shape)).astype(dtype)

    def specials(self, *shape, dtype=np.float32):
        """Floats with the numbers that are easy to get wrong among them."""
        x = self.floats(*shape, dtype=dtype, scale=3)
        rare = np.asarray(self.random.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -1.5, 2.5, 1e-40], x.shape))
        return np.where(self.random.random(x.shape) < 0.2, rare, x).astype(dtype)

    def integers(self, dtype, shape, low=-20, high=20):
        info = np.iinfo(dtype)
        return np.asarray(self.random.integers(max(low, info.min), min(high, info.max), shape, endpoint=True)).astype(dtype)

    def all_integers(self, dtype, shape):
        info = np.iinfo(dtype)
        return np.asarray(self.random.integers(info.min, info.max, shape, dtype, endpoint=True)).astype(dtype)

    def bools(self, *shape):
        return np.asarray(self.random.random(shape) < 0.5)

    def strings(self, *shape):
        words = ["", "a", "B", "abc", "Straße", "x y"]
        return np.asarray([words[i] for i in self.random.integers(0, len(words), int(np.prod(shape)))],
                          object).reshape(shape)

    def numbers(self, dtype, *shape):
        """Tame values of any dtype."""
        dtype = np.dtype(dtype)
        if dtype == object:
            return self.strings(*shape)
        if dtype == bool:
            return self.bools(*shape)
        return self.floats(*shape, dtype=dtype) if dtype.kind == "f" else self.integers(dtype, shape)

    # --- quantized ---
    def byte_type(self):
        return self.choice([np.int8, np.uint8])

    def zero(self, dtype, shape=()):
        low, high = (90, 160) if dtype == np.uint8 else (-30, 30)
        return np.asarray(self.random.integers(low, high, shape)).astype(dtype)

    def scale(self, shape=()):
        return np.asarray(self.random.uniform(0.004, 0.02, shape)).astype(np.float32)

    # --- windows ---
    def window(self, spatial, weights=True):
        """Kernel, attributes and input sizes of a random window."""
        kernel = [self.size(1, 4) for _ in range(spatial)]
        attributes = {"kernel_shape": kernel, "strides": [self.size(1, 3) for _ in range(spatial)]}
        if self.bit():
            attributes["dilations"] = [self.size(1, 2) for _ in range(spatial)]
        dilations = attributes.get("dilations", [1] * spatial)
        if self.rarely():
            attributes["auto_pad"] = self.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
            # Windows that leave gaps would need negative padding, on which ONNX Runtime's operators disagree.
            attributes["strides"] = [min(s, k) for s, k in zip(attributes["strides"], kernel)]
            attributes.pop("dilations", None)  # ONNX Runtime refuses the two together
            dilations = [1] * spatial
        else:
            limits = [k if weights else k - 1 for k in kernel]
            attributes["pads"] = [self.size(0, p) for p in limits + limits]
        sizes = [(k - 1) * d + 1 + self.size(0, 9) for k, d in zip(kernel, dilations)]
        return kernel, attributes, sizes


def case(op, inputs, opset, **rest):
    """What a kind returns: a node, and what else Case of differential.py takes."""
    return {"node": (op, inputs, opset), **rest}
