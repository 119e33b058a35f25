# Integer groups against ONNX Runtime, bit for bit. Needs a Python with `onnx` and `onnxruntime` (ONNXQ_PYTHON).
add_test(NAME run/groups
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] || { echo 'skipped: no Python given (ONNXQ_PYTHON)'; exit 77; }; \
\"$python\" \"$3\" \"$1\" || exit; exec \"$2\" \"$1\"" sh
    ${CMAKE_BINARY_DIR}/group-cases $<TARGET_FILE:conformance> ${CMAKE_CURRENT_LIST_DIR}/groups.py)
set_tests_properties(run/groups PROPERTIES SKIP_RETURN_CODE 77 LABELS run)

# Whole models within 1e-4 of ONNX Runtime: our own, the light ones of the onnx wheel (with random weights) once conformance/onnx has made them, and
# those below the folder ONNXQ_MODELS.
add_test(NAME run/models
  COMMAND sh -c "python=\${ONNXQ_PYTHON:-${ONNXQ_PYTHON}}; \
[ -n \"$python\" ] && \"$python\" -c 'import onnx, onnxruntime' || { echo 'skipped: no Python with onnx and onnxruntime given (ONNXQ_PYTHON)'; exit 77; }; \
[ -n \"\${ONNXQ_MODELS}\" ] || echo 'ONNXQ_MODELS names no folder of real models: only the small ones are compared'; \
exec \"$python\" \"$@\" \${ONNXQ_MODELS}" sh
    ${CMAKE_CURRENT_LIST_DIR}/models.py $<TARGET_FILE:onnxq_command> ${CMAKE_SOURCE_DIR}/models ${CMAKE_BINARY_DIR}/onnx-cases/light)
set_tests_properties(run/models PROPERTIES SKIP_RETURN_CODE 77 LABELS run TIMEOUT 600)
