# The official test cases: those that Debian ships, and those that the `onnx` wheel generates.
file(GLOB conformance_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(FILTER conformance_sources EXCLUDE REGEX "/test_")
add_executable(conformance ${conformance_sources})
set_target_properties(conformance PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(conformance PRIVATE onnxq_core onnxq_flags)

set(debian_cases /usr/share/libonnx-testdata/data)
add_test(NAME conformance/debian
  COMMAND sh -c "[ -d \"$1\" ] || { echo 'skipped: libonnx-testdata is not installed'; exit 77; }; exec \"$2\" --quiet --ledger \"$3\" \"$1\"" sh
    ${debian_cases} $<TARGET_FILE:conformance> ${CMAKE_SOURCE_DIR}/tests/expect/conformance-debian.txt)
set_tests_properties(conformance/debian PROPERTIES SKIP_RETURN_CODE 77 LABELS conformance TIMEOUT 900)

# The cases are made once per build folder: delete the folder to make them again.
add_test(NAME conformance/onnx
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] || { echo 'skipped: no Python given (ONNXQ_PYTHON)'; exit 77; }; \
[ -f \"$1/manifest.txt\" ] || \"$python\" \"$4\" \"$1\" || exit 1; exec \"$2\" --quiet --ledger \"$3\" \"$1\"" sh
    ${CMAKE_BINARY_DIR}/onnx-cases $<TARGET_FILE:conformance> ${CMAKE_SOURCE_DIR}/tests/expect/conformance-onnx.txt
    ${CMAKE_CURRENT_LIST_DIR}/generate.py)
set_tests_properties(conformance/onnx PROPERTIES SKIP_RETURN_CODE 77 LABELS conformance TIMEOUT 900)
