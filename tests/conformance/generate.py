"""Writes the official test cases of the installed `onnx` wheel as files: KIND/NAME/{model.onnx, test_data_set_*}
and manifest.txt with one line a case: KIND/NAME RTOL ATOL."""

import os
import shutil
import sys
import warnings

import numpy

warnings.simplefilter("ignore")
numpy.random.seed(0)  # some cases draw their data from the global generator

import onnx
import onnx.backend.test.case.model as model_cases
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner


def value_bytes(value, info):
    """One input or output as the message that its declared type asks for."""
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name).SerializeToString()
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name).SerializeToString()
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name).SerializeToString()
    if isinstance(value, onnx.TensorProto):
        return value.SerializeToString()
    return numpy_helper.from_array(numpy.asarray(value), info.name).SerializeToString()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def write_set(folder, graph, inputs, outputs):
    os.makedirs(folder)
    for stem, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
        for i, value in enumerate(values):
            write(os.path.join(folder, f"{stem}_{i}.pb"), value_bytes(value, infos[i]))


def write_memory_case(folder, case):
    write(os.path.join(folder, "model.onnx"), case.model.SerializeToString())
    for i, (inputs, outputs) in enumerate(case.data_sets):
        write_set(os.path.join(folder, f"test_data_set_{i}"), case.model.graph, inputs, outputs)


def write_light_case(folder, case):
    """Networks without trained weights; the expected output lies beside the model in the wheel."""
    stem = os.path.join(DATA_DIR, "light", "light_" + case.model_name)
    model = onnx.load(stem + ".onnx")
    weights = {weight.name for weight in model.graph.initializer}
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    shutil.copy(stem + ".onnx", os.path.join(folder, "model.onnx"))
    inputs = [info for info in model.graph.input if info.name not in weights]
    for i, info in enumerate(inputs):
        value = Runner.generate_dummy_data(info, name=case.model_name)
        write(os.path.join(data, f"input_{i}.pb"), value_bytes(value, info))
    for i in range(len(model.graph.output)):
        shutil.copy(f"{stem}_output_{i}.pb", os.path.join(data, f"output_{i}.pb"))


def all_cases():
    cases = load_model_tests(kind="node") + model_cases.collect_testcases()
    for kind in ("pytorch-converted", "pytorch-operator"):
        cases += load_model_tests(kind=kind)
    return cases


def main(target):
    shutil.rmtree(target, ignore_errors=True)
    lines = []
    for case in all_cases():
        kind = "light" if case.kind == "real" else case.kind
        folder = os.path.join(target, kind, case.name)
        if case.model_dir is not None:
            shutil.copytree(case.model_dir, folder)
        else:
            os.makedirs(folder)
            (write_light_case if kind == "light" else write_memory_case)(folder, case)
        lines.append(f"{kind}/{case.name} {case.rtol!r} {case.atol!r}\n")
    lines.sort()
    # The manifest comes last: with it, the folder is whole.
    write(os.path.join(target, "manifest.txt"), "".join(lines).encode())
    print(f"{len(lines)} cases of onnx {onnx.__version__} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
