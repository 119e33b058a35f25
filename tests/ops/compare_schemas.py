"""Compares our operator table (JSON lines of dump_table) with the official schemas of the installed `onnx` wheel: for
every operator and version that we have, inputs and outputs (option, allowed types) and attributes (name, kind, required).
Versions that the standard has and we lack are differences too. With --missing, lists the operators that we do not have.
Operators that the wheel does not describe are compared with ONNX Runtime's own schemas, where that is installed."""

import argparse
import json
import subprocess
import sys
from types import SimpleNamespace

import onnx.defs

try:
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime
except ImportError:
    runtime = None

# AttributeProto.AttributeType by the names that the schemas use.
KINDS = ["UNDEFINED", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS", "STRINGS", "TENSORS", "GRAPHS",
         "SPARSE_TENSOR", "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"]


def official_types(schema, parameter):
    names = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    found = set()
    for text in names.get(parameter.type_str, [parameter.type_str]):
        kind, _, rest = text.partition("(")
        if kind == "tensor":
            found.add({"float": "float32", "double": "float64"}.get(rest[:-1], rest[:-1]))
        else:
            found.add(kind)
    return found


def official_option(parameter):
    name = parameter.option.name.lower()
    return f"variadic{min(parameter.min_arity, 1)}" if name == "variadic" else name


def compare_parameters(schema, official, ours):
    if len(official) != len(ours):
        yield f"{len(ours)} instead of {len(official)} parameters"
    for theirs, mine in zip(official, ours):
        if mine["option"] != official_option(theirs):
            yield f"{theirs.name}: {mine['option']} instead of {official_option(theirs)}"
        if mine["option"].startswith("variadic") and mine["mixed"] == theirs.is_homogeneous:
            yield f"{theirs.name}: types may{'' if mine['mixed'] else ' not'} differ, unlike the standard"
        types = official_types(schema, theirs)
        if types != set(mine["types"]):
            more, less = sorted(set(mine["types"]) - types), sorted(types - set(mine["types"]))
            yield f"{theirs.name}: types too many {more}, missing {less}"


def compare_attributes(schema, ours):
    mine = {a["name"]: a for a in ours}
    for name in sorted(set(mine) | set(schema.attributes)):
        if name not in mine:
            yield f"attribute {name} is missing"
        elif name not in schema.attributes:
            yield f"attribute {name} is not of the standard"
        else:
            theirs = schema.attributes[name]
            if KINDS[mine[name]["kind"]] != theirs.type.name:
                yield f"attribute {name}: {KINDS[mine[name]['kind']]} instead of {theirs.type.name}"
            if mine[name]["required"] != theirs.required:
                yield f"attribute {name}: required is {mine[name]['required']}"


def compare_version(schema, ours):
    yield from compare_parameters(schema, schema.inputs, ours["inputs"])
    yield from compare_parameters(schema, schema.outputs, ours["outputs"])
    yield from compare_attributes(schema, ours["attributes"])


def of_runtime(schema):
    """A schema of ONNX Runtime under the names that the wheel's have. Its variadic inputs tell no least number."""
    def parameters(plain):
        return [SimpleNamespace(name=p.name, type_str=p.typeStr, min_arity=1, is_homogeneous=p.isHomogeneous,
                                option=SimpleNamespace(name=str(p.option).rpartition(".")[2])) for p in plain]
    attributes = {name: SimpleNamespace(type=SimpleNamespace(name=str(a.type).rpartition(".")[2]), required=a.required)
                  for name, a in schema.attributes.items()}
    return SimpleNamespace(type_constraints=schema.type_constraints, inputs=parameters(schema.inputs),
                           outputs=parameters(schema.outputs), attributes=attributes, deprecated=schema.deprecated)


def all_schemas():
    """{(domain, operator): {version: schema}} of the standard, and of ONNX Runtime what the standard does not have."""
    found = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((schema.domain, schema.name), {})[schema.since_version] = schema
    for schema in runtime.get_all_operator_schema() if runtime else []:
        versions = found.setdefault((schema.domain, schema.name), {})
        more = of_runtime(schema)
        more.deprecated = more.deprecated or bool(versions)  # its own old form of a standard operator may be missing
        versions.setdefault(schema.since_version, more)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump_table", help="the program that prints our table")
    parser.add_argument("--missing", action="store_true", help="list the operators of the standard that we lack")
    arguments = parser.parse_args()
    lines = subprocess.run([arguments.dump_table], check=True, capture_output=True, text=True).stdout.splitlines()
    table = {(op["domain"], op["name"]): {v["since"]: v for v in op["versions"]} for op in map(json.loads, lines)}
    official = all_schemas()
    if arguments.missing:
        for (domain, name), versions in sorted(official.items()):
            if (domain, name) not in table and not versions[max(versions)].deprecated:
                print(domain or "ai.onnx", name, sorted(versions))
        return 0
    differences = compared = 0
    for key, versions in sorted(table.items()):
        for since in sorted(set(versions) | set(official.get(key, {}))):
            name = f"{key[0] or 'ai.onnx'}.{key[1]}-{since}"
            if key not in official:
                continue  # of a domain that the wheel does not describe
            if since not in versions:
                if official[key][since].deprecated:
                    continue
                found = ["is missing from our table"]
            elif since not in official[key]:
                found = ["is no version of the standard"]
            else:
                compared += 1
                found = list(compare_version(official[key][since], versions[since]))
            for text in found:
                differences += 1
                print(f"{name}: {text}")
    print(f"{compared} operator versions compared, {differences} differences")
    return 1 if differences or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
