# The rules of the source tree, and a test that their check finds every kind of breach.
add_test(NAME structure/rules COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check.sh ${CMAKE_SOURCE_DIR})
add_test(NAME structure/rules_find_breaches COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_fails.sh)
set_tests_properties(structure/rules structure/rules_find_breaches PROPERTIES LABELS structure)
