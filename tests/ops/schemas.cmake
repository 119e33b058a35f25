# The operator table against the official schemas. Needs a Python with the `onnx` wheel (ONNXQ_PYTHON).
add_executable(dump_table ${CMAKE_CURRENT_LIST_DIR}/dump_table.c)
set_target_properties(dump_table PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(dump_table PRIVATE onnxq_core onnxq_flags)
add_test(NAME ops/schemas
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] || { echo 'skipped: no Python given (ONNXQ_PYTHON)'; exit 77; }; exec \"$python\" \"$@\"" sh
    ${CMAKE_CURRENT_LIST_DIR}/compare_schemas.py $<TARGET_FILE:dump_table>)
set_tests_properties(ops/schemas PROPERTIES SKIP_RETURN_CODE 77 LABELS ops)

# Inference against the standard's own: on the models that Debian ships, on the official cases of the onnx wheel when
# conformance/onnx has made them, and on the models in the folder ONNXQ_MODELS when there is one.
add_executable(dump_types ${CMAKE_CURRENT_LIST_DIR}/dump_types.c)
set_target_properties(dump_types PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(dump_types PRIVATE onnxq_core onnxq_flags)
add_test(NAME ops/inference
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] || { echo 'skipped: no Python given (ONNXQ_PYTHON)'; exit 77; }; \
script=$1 table=$2 types=$3; shift 3; for folder; do shift; [ -d \"$folder\" ] && set -- \"$@\" \"$folder\"; done; \
[ $# -gt 0 ] || { echo 'skipped: no models to compare'; exit 77; }; exec \"$python\" \"$script\" \"$table\" \"$types\" \"$@\" \${ONNXQ_MODELS}" sh
    ${CMAKE_CURRENT_LIST_DIR}/compare_inference.py $<TARGET_FILE:dump_table> $<TARGET_FILE:dump_types>
    /usr/share/libonnx-testdata/data ${CMAKE_BINARY_DIR}/onnx-cases)
set_tests_properties(ops/inference PROPERTIES SKIP_RETURN_CODE 77 LABELS ops TIMEOUT 300)
