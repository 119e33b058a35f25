# Random one-node models against ONNX Runtime, in the layout of the official cases: integers bit for bit.
add_test(NAME ops/differential
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] && \"$python\" -c 'import onnx, onnxruntime' || { echo 'skipped: no Python with onnx and onnxruntime given (ONNXQ_PYTHON)'; exit 77; }; \
\"$python\" \"$1\" \"$2\" 1 360 2>&1 && exec \"$3\" --quiet \"$2\"" sh
    ${CMAKE_CURRENT_LIST_DIR}/differential.py ${CMAKE_BINARY_DIR}/differential $<TARGET_FILE:conformance>)
set_tests_properties(ops/differential PROPERTIES SKIP_RETURN_CODE 77 LABELS ops TIMEOUT 300)
