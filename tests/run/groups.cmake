# Integer groups against ONNX Runtime, bit for bit. Needs a Python with `onnx` and `onnxruntime` (ONNXQ_PYTHON).
add_test(NAME run/groups
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] || { echo 'skipped: no Python given (ONNXQ_PYTHON)'; exit 77; }; \
\"$python\" \"$3\" \"$1\" || exit; exec \"$2\" \"$1\"" sh
    ${CMAKE_BINARY_DIR}/group-cases $<TARGET_FILE:conformance> ${CMAKE_CURRENT_LIST_DIR}/groups.py)
set_tests_properties(run/groups PROPERTIES SKIP_RETURN_CODE 77 LABELS run)
