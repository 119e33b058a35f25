// Helpers that tests of all rooms share.
#include "support/support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int test_main(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

oq_tensor test_tensor_f32(oq_mem *mem, oq_shape shape, const float *values) {
    oq_tensor tensor = {0};
    oq_error err = {0};
    CK_OK(oq_tensor_new(mem, ONNXQ_FLOAT, &shape, &tensor, &err), &err);
    memcpy(tensor.data, values, (size_t)oq_shape_count(&shape) * sizeof *values);
    return tensor;
}

const char *test_source_path(const char *relative) {
    static char path[4096];
    const char *source = getenv("ONNXQ_SOURCE");
    snprintf(path, sizeof path, "%s/%s", source ? source : ".", relative);
    return path;
}

void test_temporary_folder(char *buffer, size_t size) {
    const char *root = getenv("TMPDIR");
    snprintf(buffer, size, "%s/onnxq-test-XXXXXX", root ? root : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(buffer));
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

void test_remove_folder(const char *folder) { nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }
