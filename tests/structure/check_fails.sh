#!/bin/sh
# The check of the structure must find each kind of breach: a small sound tree passes, and fails after each mistake.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

sound_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/docs" "$tree/include/onnxq" "$tree/src/base" "$tree/src/graph" "$tree/src/tensor" \
        "$tree/src/onnx" "$tree/src/cli" "$tree/src/api"
    cat > "$tree/docs/architecture.md" <<'TABLE'
| folder | holds | may use (and what that may use) |
|---|---|---|
| include/onnxq | the public header | nothing |
| src/base | memory | |
| src/tensor | tensors | base |
| src/graph | graphs | tensor |
| src/onnx | files | graph (of course) |
| src/api | all | everything |
| src/cli | the command | the public header alone |
TABLE
    printf '// The public header.\n' > "$tree/include/onnxq/onnxq.h"
    printf '// Memory.\n#include "onnxq/onnxq.h"\n#include <stdio.h>\n' > "$tree/src/base/mem.h"
    printf '// Graphs.\n#include "base/mem.h"\n#include "tensor/tensor.h"\n' > "$tree/src/graph/graph.c"
    printf '// Files.\n#include "onnx.pb-c.h"\n#include <protobuf-c/protobuf-c.h>\n' > "$tree/src/onnx/load.c"
    printf '// The interface.\n#include "graph/graph.h"\n#include "onnx/onnx.h"\n' > "$tree/src/api/api.c"
    printf '// The command.\n#include "cli/command.h"\n#include "onnxq/onnxq.h"\n' > "$tree/src/cli/main.c"
    { # a function of 80 lines, and a table of 200
        printf '// Tensors.\nstatic int f(int a,\n             int b) {\n'
        for i in $(seq 78); do printf '    a += b;\n'; done
        printf '}\nstatic const int table[] = {\n'
        for i in $(seq 200); do printf '    1,\n'; done
        printf '};\n'
    } > "$tree/src/tensor/tensor.c"
}

fails=0
expect() { # what is wrong, words of the message
    if output=$(sh "$here/check.sh" "$tree"); then
        echo "not found: $1"
        fails=1
    elif ! printf '%s' "$output" | grep -q "$2"; then
        echo "$1: unexpected message: $output"
        fails=1
    fi
    sound_tree
}

sound_tree
sh "$here/check.sh" "$tree" || { echo "the sound tree is refused"; exit 1; }

printf '// Memory.\n#include "tensor/tensor.h"\n' > "$tree/src/base/mem.c"
expect "an arrow against the table" "src/base/mem.c:2: src/base may not use tensor"
printf '// The command.\n#include "base/mem.h"\n' > "$tree/src/cli/other.c"
expect "the command using more than the public header" "src/cli may not use base"
printf '// The interface.\n#include "cli/command.h"\n' > "$tree/src/api/api.c"
expect "the library using the command" "src/api may not use cli"
printf '// Graphs.\n#include "graph.h"\n' > "$tree/src/graph/edit.c"
expect "an include without folder" "lacks its folder"
printf '// Graphs.\n#include "elsewhere/graph.h"\n' > "$tree/src/graph/edit.c"
expect "an include from nowhere" "in no room"
printf '// Graphs.\n#include "onnx.pb-c.h"\n' > "$tree/src/graph/edit.c"
expect "generated messages outside of onnx" "only src/onnx"
printf '// Graphs.\n#include <protobuf-c/protobuf-c.h>\n' > "$tree/src/graph/edit.c"
expect "protobuf-c outside of onnx" "only src/onnx"
printf '#include "base/mem.h"\n' > "$tree/src/graph/edit.c"
expect "a file without its first comment" "first line"
{ printf '// Long.\n'; for i in $(seq 600); do printf '\n'; done; } > "$tree/src/graph/edit.c"
expect "a long file" "601 lines"
sed -i 's/^    a += b;$/&\n    b += a;/' "$tree/src/tensor/tensor.c"
expect "a long function" "a function of 15[0-9] lines"
mkdir "$tree/src/attic" && printf '// Old.\n' > "$tree/src/attic/old.c"
expect "a room that the table lacks" "not in the table"
sed -i 's/| tensors | base |/| tensors | base, graph |/' "$tree/docs/architecture.md"
expect "a circle" "circle"
exit $fails
