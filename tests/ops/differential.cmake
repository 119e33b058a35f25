# Random one-node models against ONNX Runtime, the first difference shrunk. Fixed seeds in the tests; for a longer run with
# seeds of its own (a minute; ONNXQ_SECONDS changes it): ctest -C long -L long
set(differential "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] && \"$python\" -c 'import onnx, onnxruntime' || { echo 'skipped: no Python with onnx and onnxruntime given (ONNXQ_PYTHON)'; exit 77; }; \
exec \"$python\" \"$@\"")
add_test(NAME ops/differential
  COMMAND sh -c "${differential}" sh ${CMAKE_CURRENT_LIST_DIR}/differential.py $<TARGET_FILE:conformance>
    ${CMAKE_BINARY_DIR}/differential --seed 1 --count 900)
add_test(NAME ops/differential-long CONFIGURATIONS long
  COMMAND sh -c "${differential} --seed $(date +%s) --seconds \${ONNXQ_SECONDS:-60}" sh ${CMAKE_CURRENT_LIST_DIR}/differential.py
    $<TARGET_FILE:conformance> ${CMAKE_BINARY_DIR}/differential-long --count 900)
set_tests_properties(ops/differential PROPERTIES SKIP_RETURN_CODE 77 LABELS ops TIMEOUT 300)
if(TEST ops/differential-long)
  set_tests_properties(ops/differential-long PROPERTIES SKIP_RETURN_CODE 77 LABELS long TIMEOUT 3600)
endif()

# The operators of com.microsoft in the layout of the official cases: integers bit for bit, or within the one step that
# the script allows.
add_test(NAME ops/differential_microsoft
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] && \"$python\" -c 'import onnx, onnxruntime' || { echo 'skipped: no Python with onnx and onnxruntime given (ONNXQ_PYTHON)'; exit 77; }; \
\"$python\" \"$1\" \"$2\" 1 360 2>&1 && exec \"$3\" --quiet \"$2\"" sh
    ${CMAKE_CURRENT_LIST_DIR}/differential_microsoft.py ${CMAKE_BINARY_DIR}/differential_microsoft
    $<TARGET_FILE:conformance>)
set_tests_properties(ops/differential_microsoft PROPERTIES SKIP_RETURN_CODE 77 LABELS ops TIMEOUT 300)
