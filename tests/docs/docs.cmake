# docs/cli.md is what the command prints of its own tables, docs/operators.md that and the ledger of the conformance cases.
add_test(NAME docs/operators.md COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs/compare ${CMAKE_SOURCE_DIR}/docs/operators.md
  ${CMAKE_SOURCE_DIR}/scripts/operators $<TARGET_FILE:onnxq_command>)
add_test(NAME docs/cli.md COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs/compare ${CMAKE_SOURCE_DIR}/docs/cli.md
  $<TARGET_FILE:onnxq_command> help --markdown)
set_tests_properties(docs/operators.md docs/cli.md PROPERTIES LABELS docs)
