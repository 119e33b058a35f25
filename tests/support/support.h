// Helpers that tests of all rooms share.
#ifndef OQ_TESTS_SUPPORT_H
#define OQ_TESTS_SUPPORT_H

#include "graph/graph.h"

#include <check.h>

// Fails the test with the error's sentence when `status` is not ONNXQ_OK.
#define CK_OK(status, err) ck_assert_msg((status) == ONNXQ_OK, "%s", (err)->message)

// Runs one suite that holds `tcase`s added by the caller; returns the exit status for main.
int test_main(Suite *suite);
// float32 tensor of `shape` with the given values (new reference).
oq_tensor test_tensor_f32(oq_mem *mem, oq_shape shape, const float *values);
// A file of the source tree ("models/digits/model.onnx") as a path in a static buffer.
const char *test_source_path(const char *relative);
// A fresh temporary folder (removed by the caller through test_remove_folder).
void test_temporary_folder(char *buffer, size_t size);
void test_remove_folder(const char *folder);

#endif
