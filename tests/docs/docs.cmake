# docs/operators.md and docs/cli.md are what the command prints of its own tables.
foreach(document "operators.md ops" "cli.md help --markdown")
  string(REPLACE " " ";" words ${document})
  list(POP_FRONT words file)
  add_test(NAME docs/${file} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs/compare ${CMAKE_SOURCE_DIR}/docs/${file}
    $<TARGET_FILE:onnxq_command> ${words})
  set_tests_properties(docs/${file} PROPERTIES LABELS docs)
endforeach()
