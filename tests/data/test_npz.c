// Tests of data: .npz archives, whole and row by row, sound and hostile.
#include "data/files.h"
#include "data/rows.h"

#include <pthread.h>

static oq_npz *open_npz(const char *path) {
    oq_npz *npz = NULL;
    CK_OK(oq_npz_open(&mem, path, &npz, &err), &err);
    return npz;
}

START_TEST(what_is_written_comes_back) {
    static const oq_dtype dtypes[] = {ONNXQ_FLOAT,  ONNXQ_DOUBLE, ONNXQ_FLOAT16, ONNXQ_INT8,   ONNXQ_UINT8,
                                      ONNXQ_INT16,  ONNXQ_UINT16, ONNXQ_INT32,   ONNXQ_UINT32, ONNXQ_INT64,
                                      ONNXQ_UINT64, ONNXQ_BOOL,   ONNXQ_BFLOAT16};
    enum { COUNT = sizeof dtypes / sizeof dtypes[0] };
    oq_tensor tensors[COUNT];
    const char *names[COUNT];
    for (int i = 0; i < COUNT; i++) {
        const int64_t values[] = {0, 1, 1, 0, 1, i};
        tensors[i] = of_int64(i % 2 ? OQ_SHAPE(2, 3) : OQ_SHAPE(6), values, dtypes[i]);
        names[i] = oq_dtype_info(dtypes[i])->name;
    }
    CK_OK(oq_npz_write(&mem, path_of("all.npz"), names, tensors, COUNT, &err), &err);
    oq_npz *npz = open_npz(path_of("all.npz"));
    ck_assert_uint_eq(oq_npz_count(npz), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        oq_tensor back;
        ck_assert_str_eq(oq_npz_name(npz, i), names[i]);
        CK_OK(oq_npz_get(npz, i, &back, &err), &err);
        ck_assert_msg(oq_tensor_equal(&back, &tensors[i]), "%s", names[i]);
        oq_tensor_release(&back);
        oq_tensor_release(&tensors[i]);
    }
    oq_npz_close(npz);
}
END_TEST

START_TEST(same_arrays_give_the_same_bytes) {
    const oq_tensor tensor = counting(OQ_SHAPE(3, 4), 0);
    const char *name = "x";
    uint8_t *bytes[2];
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        CK_OK(oq_npz_write(&mem, path_of("x.npz"), &name, &tensor, 1, &err), &err);
        CK_OK(oq_file_read_all(&mem, path_of("x.npz"), &bytes[i], &sizes[i], &err), &err);
    }
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], sizes[0]);
    oq_mem_free(&mem, bytes[0]), oq_mem_free(&mem, bytes[1]);
    oq_tensor copy = tensor;
    oq_tensor_release(&copy);
}
END_TEST

static const packing packings[] = {{0, 0}, {6, 0}, {0, 1}, {6, 1}};

// Rows in many orders, from all kinds of entries.
START_TEST(rows_in_any_order) {
    enum { ROWS = 200, LENGTH = 33 };
    write_npz(path_of("a.npz"), "x", packings[_i], counting(OQ_SHAPE(ROWS, LENGTH), 0));
    oq_npz *npz = open_npz(path_of("a.npz"));
    oq_rows *rows = NULL;
    CK_OK(oq_rows_of_npz(&mem, npz, 0, &rows, &err), &err);
    ck_assert_uint_eq(oq_rows_bytes(rows), LENGTH * 4);
    for (int order = 0; order < 4; order++) {
        for (int k = 0; k < ROWS; k++) {
            const int row = order == 0 ? k : order == 1 ? ROWS - 1 - k : order == 2 ? k * 77 % ROWS : (k ^ 3);
            float got[LENGTH];
            CK_OK(oq_rows_read(rows, row, got, &err), &err);
            for (int i = 0; i < LENGTH; i++) ck_assert(got[i] == (float)(row * LENGTH + i));
        }
    }
    float outside[LENGTH];
    ck_assert_int_eq(oq_rows_read(rows, ROWS, outside, NULL), ONNXQ_INTERNAL);
    oq_rows_free(rows);
    oq_npz_close(npz);
}
END_TEST

typedef struct reading_thread {
    oq_rows *rows;
    int first;
    bool failed;
} reading_thread;

static void *read_every_fourth(void *self) {
    reading_thread *t = self;
    for (int row = t->first; row < 400; row += 4) {
        float got[50];
        if (oq_rows_read(t->rows, row, got, NULL) != ONNXQ_OK) t->failed = true;
        for (int i = 0; i < 50; i++) t->failed = t->failed || got[i] != (float)(row * 50 + i);
    }
    return NULL;
}

START_TEST(rows_from_several_threads) {
    write_npz(path_of("a.npz"), "x", packings[1], counting(OQ_SHAPE(400, 50), 0));
    oq_npz *npz = open_npz(path_of("a.npz"));
    oq_rows *rows = NULL;
    CK_OK(oq_rows_of_npz(&mem, npz, 0, &rows, &err), &err);
    pthread_t threads[4];
    reading_thread work[4];
    for (int i = 0; i < 4; i++) {
        work[i] = (reading_thread){.rows = rows, .first = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_every_fourth, &work[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(!work[i].failed);
    }
    oq_rows_free(rows);
    oq_npz_close(npz);
}
END_TEST

// 4 MB of deflated rows pass through less than a quarter of that, places to come back to included; once they
// are there, no row is far.
START_TEST(rows_take_little_memory) {
    write_npz(path_of("a.npz"), "x", (packing){.level = 1}, counting(OQ_SHAPE(1000, 1024), 0));
    oq_npz *npz = open_npz(path_of("a.npz"));
    oq_rows *rows = NULL;
    mem.peak = 0;
    CK_OK(oq_rows_of_npz(&mem, npz, 0, &rows, &err), &err);
    static float got[1024];
    for (int row = 0; row < 1000; row++) CK_OK(oq_rows_read(rows, row, got, &err), &err);
    ck_assert(got[1023] == (float)(1000 * 1024 - 1));
    for (int k = 0; k < 1000; k++) {
        const int row = k * 377 % 1000;
        CK_OK(oq_rows_read(rows, row, got, &err), &err);
        ck_assert(got[0] == (float)(row * 1024) && got[1023] == (float)(row * 1024 + 1023));
    }
    ck_assert_uint_lt(mem.peak, 1000000);
    oq_rows_free(rows);
    oq_npz_close(npz);
}
END_TEST

// A checksum that is wrong is found with the last row, from wherever that is reached.
START_TEST(a_wrong_checksum_ends_the_last_row) {
    write_npz(path_of("a.npz"), "x", (packing){.level = 1}, counting(OQ_SHAPE(300, 1024), 0));
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_file_read_all(&mem, path_of("a.npz"), &bytes, &count, &err), &err);
    size_t directory = count - 22; // its end; the entry's checksum is 16 bytes into the directory
    directory = bytes[directory + 16] | (size_t)bytes[directory + 17] << 8 |
                (size_t)bytes[directory + 18] << 16 | (size_t)bytes[directory + 19] << 24;
    bytes[directory + 16] ^= 1;
    bytes[14] ^= 1; // the same before the entry itself
    write_bytes(path_of("b.npz"), bytes, count);
    oq_mem_free(&mem, bytes);
    oq_npz *npz = open_npz(path_of("b.npz"));
    oq_rows *rows = NULL;
    CK_OK(oq_rows_of_npz(&mem, npz, 0, &rows, &err), &err);
    static float got[1024];
    CK_OK(oq_rows_read(rows, 298, got, &err), &err);
    for (int i = 0; i < 2; i++) {
        oq_error failure = {0};
        ck_assert_int_eq(oq_rows_read(rows, 299, got, &failure), ONNXQ_BAD_DATA);
        ck_assert_ptr_nonnull(strstr(failure.message, "b.npz: x"));
        CK_OK(oq_rows_read(rows, 100, got, &err), &err);
        ck_assert(got[1] == (float)(100 * 1024 + 1));
    }
    oq_rows_free(rows);
    oq_npz_close(npz);
}
END_TEST

START_TEST(column_major_and_big_endian) {
    // [[0,1,2],[3,4,5]] as big-endian int16 in Fortran order
    static const char dictionary[] = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }";
    uint8_t bytes[128] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(sizeof dictionary - 1), 0};
    memcpy(bytes + 10, dictionary, sizeof dictionary - 1);
    static const uint8_t elements[] = {0, 0, 0, 3, 0, 1, 0, 4, 0, 2, 0, 5};
    const size_t size = 10 + sizeof dictionary - 1 + sizeof elements;
    memcpy(bytes + 10 + sizeof dictionary - 1, elements, sizeof elements);
    zipFile zip = new_archive(path_of("a.npz"));
    pack_bytes(zip, "x.npy", packings[1], bytes, size);
    zipClose(zip, NULL);
    write_bytes(path_of("a.npy"), bytes, size);
    oq_npz *npz = open_npz(path_of("a.npz"));
    oq_tensor whole;
    CK_OK(oq_npz_get(npz, 0, &whole, &err), &err);
    for (int i = 0; i < 6; i++) ck_assert_int_eq(oq_tensor_get_i64(&whole, i), i);
    oq_tensor_release(&whole);
    for (int kind = 0; kind < 2; kind++) {
        oq_rows *rows = NULL;
        if (kind)
            CK_OK(oq_rows_of_npy(&mem, path_of("a.npy"), &rows, &err), &err);
        else
            CK_OK(oq_rows_of_npz(&mem, npz, 0, &rows, &err), &err);
        int16_t row[3];
        CK_OK(oq_rows_read(rows, 1, row, &err), &err);
        ck_assert(row[0] == 3 && row[1] == 4 && row[2] == 5);
        oq_rows_free(rows);
    }
    oq_npz_close(npz);
}
END_TEST

// Opens an archive and reads everything in it; a sentence and no crash when it is damaged.
static oq_status read_everything(const char *path, oq_error *failure) {
    oq_npz *npz = NULL;
    OQ_TRY(oq_npz_open(&mem, path, &npz, failure));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < oq_npz_count(npz) && status == ONNXQ_OK; i++) {
        oq_tensor tensor;
        status = oq_npz_get(npz, i, &tensor, failure);
        if (status == ONNXQ_OK) oq_tensor_release(&tensor);
    }
    oq_npz_close(npz);
    return status;
}

START_TEST(truncated_archives_are_refused) {
    write_npz(path_of("a.npz"), "x", packings[_i], counting(OQ_SHAPE(20, 3), 0));
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_file_read_all(&mem, path_of("a.npz"), &bytes, &count, &err), &err);
    for (size_t cut = 0; cut < count; cut += 7) {
        write_bytes(path_of("b.npz"), bytes, cut);
        oq_error failure = {0};
        ck_assert_int_ne(read_everything(path_of("b.npz"), &failure), ONNXQ_OK);
        ck_assert_ptr_nonnull(strstr(failure.message, "b.npz"));
    }
    oq_mem_free(&mem, bytes);
}
END_TEST

// Bytes changed: an error or some arrays, never a crash, and never much memory.
START_TEST(changed_bytes_do_no_harm) {
    write_npz(path_of("a.npz"), "x", packings[_i], counting(OQ_SHAPE(10, 3), 0));
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_file_read_all(&mem, path_of("a.npz"), &bytes, &count, &err), &err);
    mem.peak = 0;
    for (size_t i = (size_t)_i % 2; i < count; i += 2) {
        for (int k = 0; k < 2; k++) {
            const uint8_t old = bytes[i];
            bytes[i] = k ? 0xff : (uint8_t)(old ^ 0x11);
            write_bytes(path_of("b.npz"), bytes, count);
            (void)read_everything(path_of("b.npz"), NULL);
            bytes[i] = old;
        }
    }
    ck_assert_uint_lt(mem.peak, 1 << 20);
    oq_mem_free(&mem, bytes);
}
END_TEST

static void expect_refused(const char *path, const char *words) {
    oq_error failure = {0};
    ck_assert_int_eq(read_everything(path, &failure), ONNXQ_BAD_DATA);
    ck_assert_msg(strstr(failure.message, words) != NULL, "%s", failure.message);
}

START_TEST(hostile_archives_are_refused) {
    // Two arrays of one name.
    zipFile zip = new_archive(path_of("a.npz"));
    pack(zip, "x", packings[0], counting(OQ_SHAPE(2), 0));
    pack(zip, "x", packings[0], counting(OQ_SHAPE(2), 0));
    zipClose(zip, NULL);
    expect_refused(path_of("a.npz"), "same name");
    // A header that promises far more than the archive holds.
    char huge[128];
    const int size = snprintf(huge, sizeof huge, "%s%c%c%s", "\x93NUMPY\x01", 0, 'H',
                              "0{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }");
    huge[9] = 0;
    huge[8] = (char)(size - 10);
    zip = new_archive(path_of("b.npz"));
    pack_bytes(zip, "x.npy", packings[1], huge, (size_t)size);
    zipClose(zip, NULL);
    expect_refused(path_of("b.npz"), "4000000000000 bytes");
    // Not an array at all, and no arrays.
    zip = new_archive(path_of("c.npz"));
    pack_bytes(zip, "x.npy", packings[0], "hello", 5);
    zipClose(zip, NULL);
    expect_refused(path_of("c.npz"), "does not begin as one");
    zip = new_archive(path_of("d.npz"));
    pack_bytes(zip, "readme.txt", packings[0], "hello", 5);
    zipClose(zip, NULL);
    expect_refused(path_of("d.npz"), "no arrays");
    write_bytes(path_of("e.npz"), "", 0);
    expect_refused(path_of("e.npz"), "no directory");
    // Sizes that deflate cannot reach: the directory says 16 MB, a few bytes are there.
    write_npz(path_of("f.npz"), "x", packings[1], counting(OQ_SHAPE(4), 0));
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_file_read_all(&mem, path_of("f.npz"), &bytes, &count, &err), &err);
    for (size_t i = 0; i + 46 < count; i++)
        if (memcmp(bytes + i, "PK\1\2", 4) == 0) memcpy(bytes + i + 24, "\0\0\0\1", 4);
    write_bytes(path_of("f.npz"), bytes, count);
    oq_mem_free(&mem, bytes);
    expect_refused(path_of("f.npz"), "cannot be true");
}
END_TEST

START_TEST(wrong_checksums_are_found) {
    write_npz(path_of("a.npz"), "x", packings[0], counting(OQ_SHAPE(50), 0));
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_file_read_all(&mem, path_of("a.npz"), &bytes, &count, &err), &err);
    bytes[200] ^= 1; // inside the elements
    write_bytes(path_of("a.npz"), bytes, count);
    oq_mem_free(&mem, bytes);
    expect_refused(path_of("a.npz"), "damaged");
}
END_TEST

START_TEST(survives_failing_allocations) {
    write_npz(path_of("a.npz"), "x", packings[1], counting(OQ_SHAPE(6, 4), 0));
    for (long long n = 1;; n++) {
        ck_assert_int_lt(n, 100);
        mem.fail_after = n;
        const oq_status status = read_everything(path_of("a.npz"), NULL);
        mem.fail_after = 0;
        ck_assert_uint_eq(mem.used, 0);
        if (status == ONNXQ_OK) break;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("data npz");
    TCase *tcase = tcase_create("npz");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin_files, end_files);
    tcase_add_test(tcase, what_is_written_comes_back);
    tcase_add_test(tcase, same_arrays_give_the_same_bytes);
    tcase_add_loop_test(tcase, rows_in_any_order, 0, 4);
    tcase_add_test(tcase, rows_from_several_threads);
    tcase_add_test(tcase, rows_take_little_memory);
    tcase_add_test(tcase, a_wrong_checksum_ends_the_last_row);
    tcase_add_test(tcase, column_major_and_big_endian);
    tcase_add_loop_test(tcase, truncated_archives_are_refused, 0, 4);
    tcase_add_loop_test(tcase, changed_bytes_do_no_harm, 0, 4);
    tcase_add_test(tcase, hostile_archives_are_refused);
    tcase_add_test(tcase, wrong_checksums_are_found);
    tcase_add_test(tcase, survives_failing_allocations);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
