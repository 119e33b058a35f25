# The main job on every sample model in both formats, judged by ONNX's checker and by ONNX Runtime. Needs Python.
foreach(model mlp cnn attention)
  foreach(format qoperator qdq)
    add_test(NAME end_to_end/${model}_${format}
      COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/end_to_end/run ${model} ${format})
    set_tests_properties(end_to_end/${model}_${format} PROPERTIES LABELS end_to_end SKIP_RETURN_CODE 77
      ENVIRONMENT "ONNXQ=$<TARGET_FILE:onnxq_command>;ONNXQ_SOURCE=${CMAKE_SOURCE_DIR};ONNXQ_PYTHON=${ONNXQ_PYTHON}")
  endforeach()
endforeach()
