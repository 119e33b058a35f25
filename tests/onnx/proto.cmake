# The messages against the official ones. Needs a Python with the `onnx` wheel, given by ONNXQ_PYTHON (of the
# environment, or of CMake); without one the test shows as skipped.
add_test(NAME onnx/compare_proto
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] || { echo 'skipped: no Python given (ONNXQ_PYTHON)'; exit 77; }; exec \"$python\" \"$@\"" sh
    ${CMAKE_CURRENT_LIST_DIR}/compare_proto.py ${PROTOC_C} ${CMAKE_SOURCE_DIR}/proto)
set_tests_properties(onnx/compare_proto PROPERTIES SKIP_RETURN_CODE 77 LABELS onnx)
