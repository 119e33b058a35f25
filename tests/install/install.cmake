# What is installed can be used by others; the static command, a build of its own, only in the longer run:
# ctest -C long -L long
add_test(NAME install/use COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER} ${CMAKE_SOURCE_DIR})
set_tests_properties(install/use PROPERTIES LABELS install)
if(ONNXQ_SANITIZE OR ONNXQ_COVERAGE)
  set_tests_properties(install/use PROPERTIES DISABLED TRUE) # their library needs flags that onnxq.pc does not name
endif()
add_test(NAME install/static CONFIGURATIONS long
  COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check-static ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/static)
if(TEST install/static)
  set_tests_properties(install/static PROPERTIES LABELS long TIMEOUT 900)
endif()
