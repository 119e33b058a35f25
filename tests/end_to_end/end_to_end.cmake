# Python scripts that judge what the command does by ONNX's checker and by ONNX Runtime.
function(end_to_end_test name)
  add_test(NAME end_to_end/${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/end_to_end/run ${ARGN})
  set_tests_properties(end_to_end/${name} PROPERTIES LABELS end_to_end SKIP_RETURN_CODE 77
    ENVIRONMENT "ONNXQ=$<TARGET_FILE:onnxq_command>;ONNXQ_SOURCE=${CMAKE_SOURCE_DIR};ONNXQ_PYTHON=${ONNXQ_PYTHON}")
endfunction()

# The main job on every sample model in both formats.
foreach(model mlp cnn attention)
  foreach(format qoperator qdq)
    end_to_end_test(${model}_${format} judge.py ${model} ${format})
  endforeach()
endforeach()
end_to_end_test(attention_product attention_product.py)
end_to_end_test(pixels pixels.py)
foreach(format qoperator qdq)
  end_to_end_test(spread_${format} spread.py ${format})
endforeach()
end_to_end_test(weight_only weight_only.py mlp cnn attention)
end_to_end_test(given given.py mlp cnn attention)
end_to_end_test(sweep sweep.py)
end_to_end_test(dynamic dynamic.py mlp cnn attention)
