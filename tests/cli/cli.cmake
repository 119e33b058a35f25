# Command-line cases: tests/cli/cases/<name>/cmd is run in a fresh folder; stdout, stderr and status are compared.
file(GLOB cli_cases CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/cases/*/cmd)
foreach(case ${cli_cases})
  get_filename_component(folder ${case} DIRECTORY)
  get_filename_component(name ${folder} NAME)
  add_test(NAME cli/${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli/run-case ${folder})
  set_tests_properties(cli/${name} PROPERTIES LABELS cli
    ENVIRONMENT "ONNXQ=$<TARGET_FILE:onnxq_command>;ONNXQ_SOURCE=${CMAKE_SOURCE_DIR};ONNXQ_PYTHON=${ONNXQ_PYTHON}")
endforeach()
