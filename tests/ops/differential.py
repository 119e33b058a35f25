"""Random one-node models, run in ONNX Runtime and by onnxq: the first difference is shrunk and printed.

    differential.py CONFORMANCE FOLDER [--seed N] [--count N] [--seconds N] [--kinds A,B]

CONFORMANCE is the test program of tests/conformance; cases are written to FOLDER in the layout of the official ones
(differential/NAME/{model.onnx, test_data_set_0} and manifest.txt with one line a case: NAME RTOL ATOL). With --seconds,
batches of --count cases follow each other, each with the next seed, until the time is over or something differs.

What differs is made smaller while it still differs: sizes of axes, attributes, left-out inputs, constants, values; what is
printed then is a program that shows the difference. Integer results must agree bit for bit."""

import argparse
import collections
import copy
import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import differential_elementwise
import differential_movers
import differential_products
import differential_various
from differential_material import Material

onnxruntime.set_default_logger_severity(4)
KINDS = (differential_products.KINDS + differential_elementwise.KINDS + differential_movers.KINDS +
         differential_various.KINDS)
IR_VERSION = 10


class Case:
    """One node with its inputs; those at the indices `constants` are initializers, None is left out."""

    def __init__(self, op, inputs, opset, constants=(), rtol=0.0, atol=0.0, outputs=1, domain="", **attributes):
        self.op, self.inputs, self.opset, self.domain = op, list(inputs), opset, domain
        self.constants, self.rtol, self.atol, self.outputs = tuple(constants), rtol, atol, outputs
        self.attributes = attributes

    def given(self):
        return [(k, v) for k, v in enumerate(self.inputs) if v is not None and k not in self.constants]

    def model(self, types=None):
        """`types` are the dtypes of the outputs; None: as inference finds them."""
        names = [f"i{k}" if value is not None else "" for k, value in enumerate(self.inputs)]
        infos = [helper.make_tensor_value_info(names[k], helper.np_dtype_to_tensor_dtype(v.dtype), [None] * v.ndim)
                 for k, v in self.given()]
        weights = [numpy_helper.from_array(self.inputs[k], names[k]) for k in self.constants
                   if k < len(self.inputs) and self.inputs[k] is not None]
        outputs = [f"o{k}" for k in range(self.outputs)]
        results = [helper.make_tensor_value_info(o, helper.np_dtype_to_tensor_dtype(t), None) if t is not None
                   else onnx.ValueInfoProto(name=o) for o, t in zip(outputs, types or [None] * self.outputs)]
        node = helper.make_node(self.op, names, outputs, domain=self.domain, **self.attributes)
        graph = helper.make_graph([node], self.op, infos, results, weights)
        imports = [helper.make_opsetid("", self.opset if not self.domain else 21)]
        imports += [helper.make_opsetid(self.domain, self.opset)] if self.domain else []
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)

    def expected(self):
        """What ONNX Runtime gives, or None when it does not take the case. On x86 without VNNI its kernels for uint8 x
        int8 saturate, so products get int8 as uint8, 128 higher, which is exact everywhere, and are shifted back."""
        shifted = self.op in differential_products.SHIFTED
        other = copy.copy(self)
        if shifted:
            other.inputs = [raised(v) for v in self.inputs]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(other.model().SerializeToString(), options,
                                                   providers=["CPUExecutionProvider"])
            results = session.run(None, {f"i{k}": v for k, v in other.given()})
        except Exception as reason:  # pylint: disable=broad-except
            self.refusal = str(reason).splitlines()[0][:150]
            return None
        if shifted and self.inputs[0].dtype == np.int8:
            results = [(r.astype(np.int16) - 128).astype(np.int8) if r.dtype == np.uint8 else r for r in results]
        return [np.asarray(r) for r in results]

    def write(self, folder, expected):
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data)
        types = [np.dtype(object) if v.dtype.kind in "OU" else v.dtype for v in expected]
        onnx.save(self.model(types), os.path.join(folder, "model.onnx"))
        for kind, values in (("input", [(f"i{k}", v) for k, v in self.given()]),
                             ("output", [(f"o{k}", v) for k, v in enumerate(expected)])):
            for i, (name, value) in enumerate(values):
                with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as file:
                    file.write(numpy_helper.from_array(np.asarray(value), name).SerializeToString())


def raised(value):
    return (value.astype(np.int16) + 128).astype(np.uint8) if value is not None and value.dtype == np.int8 else value


def differing(program, folder, cases):
    """(case, outcome) of those that differ, of a list of (case, expected)."""
    shutil.rmtree(os.path.join(folder, "differential"), ignore_errors=True)
    lines, named = [], {}
    for i, (case, expected) in enumerate(cases):
        name = f"differential/test_{case.op.lower()}_{i:05d}"
        case.write(os.path.join(folder, name), expected)
        lines.append(f"{name} {case.rtol} {case.atol}")
        named[name] = case
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "manifest.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")
    run = subprocess.run([program, folder], capture_output=True, text=True, errors="replace")
    found = []
    for line in run.stdout.splitlines():
        name, _, outcome = line.partition(" ")
        if name in named and not outcome.startswith("pass"):
            found.append((named[name], outcome))
    return found


# --- shrinking: candidates that are smaller than a case, the boldest first ---

def smaller_sizes(case):
    """All axes of one size cut alike, so that shapes keep fitting each other."""
    sizes = sorted({d for v in case.inputs if v is not None for d in v.shape if d > 1}, reverse=True)
    for size in sizes:
        for to in dict.fromkeys((1, size // 2, size - 1)):
            other = copy.copy(case)
            other.inputs = [v if v is None else v[tuple(slice(0, to if d == size else d) for d in v.shape)]
                            for v in case.inputs]
            yield other
    for k, v in enumerate(case.inputs):
        for axis in range(v.ndim if v is not None else 0):
            if v.shape[axis] > 1:
                other = copy.copy(case)
                other.inputs = list(case.inputs)
                other.inputs[k] = np.take(v, range(v.shape[axis] // 2), axis)
                yield other


def fewer_attributes(case):
    for name, value in case.attributes.items():
        other = copy.copy(case)
        other.attributes = {k: v for k, v in case.attributes.items() if k != name}
        yield other
        simpler = []
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], int):
            simpler = [list(s) for s in ([min(v, 1) for v in value], [v // 2 for v in value], value[:-1])]
        elif isinstance(value, int) and value not in (0, 1):
            simpler = [0, 1, value // 2]
        for to in simpler:
            if to != value:
                other = copy.copy(case)
                other.attributes = {**case.attributes, name: to}
                yield other


def fewer_inputs(case):
    for k, v in enumerate(case.inputs):
        if k and v is not None:
            other = copy.copy(case)
            other.inputs = [None if i == k else w for i, w in enumerate(case.inputs)]
            while other.inputs[-1] is None:
                other.inputs.pop()
            other.constants = tuple(i for i in case.constants if i != k)
            yield other
    if case.constants:
        other = copy.copy(case)
        other.constants = ()
        yield other
    if case.outputs > 1:
        other = copy.copy(case)
        other.outputs = case.outputs - 1
        yield other


def plainer_values(case):
    for k, v in enumerate(case.inputs):
        if v is None or v.dtype.kind not in "fiu" or not v.size:
            continue
        for to in (np.zeros_like(v), np.ones_like(v), np.round(v).astype(v.dtype)):
            if not np.array_equal(to, v, equal_nan=v.dtype.kind == "f"):
                other = copy.copy(case)
                other.inputs = [to if i == k else w for i, w in enumerate(case.inputs)]
                yield other


def weight(case):
    values = [v for v in case.inputs if v is not None]
    plain = sum(int(np.count_nonzero(v)) if v.dtype.kind in "fiub" else v.size for v in values)
    return (sum(v.size for v in values), len(case.attributes), len(values), len(case.constants), case.outputs, plain,
            sum(np.abs(v.astype(float)).sum() for v in values if v.dtype.kind in "fiu"), str(case.attributes))


def shrink(program, folder, case, outcome, budget=400):
    steps = (smaller_sizes, fewer_attributes, fewer_inputs, plainer_values)
    progress = True
    while progress and budget > 0:
        progress = False
        for other in (o for step in steps for o in step(case)):
            expected = other.expected()
            budget -= 1
            if expected is None or not weight(other) < weight(case):
                continue
            found = differing(program, folder, [(other, expected)])
            if found:
                case, outcome, progress = other, found[0][1], True
                break
            if budget <= 0:
                break
    return case, outcome


def source_of(value):
    if value is None:
        return "None"
    array = np.array2string(value, separator=", ", threshold=64, floatmode="unique").replace("\n", " ")
    array = re.sub(r"\bnan\b", "np.nan", re.sub(r"\binf\b", "np.inf", array))
    dtype = "object" if value.dtype.kind in "OU" else str(value.dtype)
    return f"np.array({array}, np.{dtype})".replace("np.object", "object").replace("np.bool", "bool") + (
        f".reshape{value.shape}" if value.size and value.ndim != 1 or not value.size else "")


def report(case, outcome, seed):
    print(f"DIFFERS (seed {seed}): {case.op} of opset {case.opset}: {outcome}")
    print("    import numpy as np")
    print(f"    inputs = [{', '.join(source_of(v) for v in case.inputs)}]")
    print(f"    Case({case.op!r}, inputs, {case.opset}, constants={case.constants}, outputs={case.outputs}, "
          f"domain={case.domain!r}, **{case.attributes!r})")
    expected = case.expected()
    print(f"    ONNX Runtime: {[source_of(e) for e in expected] if expected is not None else case.refusal}")


def draw(seed, count, kinds):
    """`count` cases, the kinds in turn, and how often ONNX Runtime refused one of each."""
    cases, refused = [], collections.Counter()
    for i in range(count):
        kind = kinds[i % len(kinds)]
        drawn = kind(Material(np.random.default_rng((seed, i))))
        case = Case(*drawn.pop("node"), **drawn)
        expected = case.expected()
        if expected is None:
            refused[f"{kind.__name__}: {case.op}-{case.opset}: {case.refusal}"] += 1
        else:
            cases.append((case, expected))
    return cases, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=360)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--kinds", help="only those whose name contains one of these words")
    parser.add_argument("--all", action="store_true", help="list every difference before the first is shrunk")
    parser.add_argument("--refused", action="store_true", help="list what ONNX Runtime does not take")
    a = parser.parse_args()
    words = (a.kinds or "").split(",")
    kinds = [k for k in KINDS if any(word in k.__name__ for word in words)]
    seed, end, total, agreed = a.seed, time.monotonic() + (a.seconds or 0), 0, collections.Counter()
    while True:
        cases, refused = draw(seed, a.count, kinds)
        if a.refused:
            for line, times in refused.most_common():
                print(f"refused {times} times: {line}")
        found = differing(a.program, a.folder, cases)
        for case, outcome in found if a.all else []:
            print(f"{case.op}-{case.opset} {case.attributes} "
                  f"{[None if v is None else (str(v.dtype), v.shape) for v in case.inputs]}: {outcome}")
        if found:
            report(*shrink(a.program, os.path.join(a.folder, "shrunk"), *found[0]), seed)
            print(f"{len(found)} of {len(cases)} cases differ")
            return 1
        total += len(cases)
        agreed.update(case.op for case, _ in cases)
        seed += 1
        if time.monotonic() >= end:
            break
    print(f"{total} cases of {len(agreed)} operators agree, seeds {a.seed} to {seed - 1}")
    return 0 if total else 1


if __name__ == "__main__":
    sys.exit(main())
