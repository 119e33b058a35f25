// Tests of base: reading files by range, writing whole or not at all, paths.
#include "base/file.h"
#include "support/support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static oq_mem mem;
static char folder[512];
static char path[1024], other[1024];

static void begin(void) {
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/target.bin", folder);
    snprintf(other, sizeof other, "%s/other.bin", folder);
}

static void end(void) {
    test_remove_folder(folder);
    ck_assert_uint_eq(mem.used, 0);
}

static void put(const char *where, const char *text) {
    oq_error err = {0};
    oq_writer *writer = NULL;
    CK_OK(oq_writer_open(&mem, where, &writer, &err), &err);
    CK_OK(oq_writer_write(writer, text, strlen(text), &err), &err);
    CK_OK(oq_writer_commit(writer, &err), &err);
}

static void expect(const char *where, const char *text) {
    oq_error err = {0};
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_file_read_all(&mem, where, &bytes, &count, &err), &err);
    ck_assert_uint_eq(count, strlen(text));
    ck_assert_mem_eq(bytes, text, count);
    oq_mem_free(&mem, bytes);
}

static size_t entries(void) {
    char **names = NULL;
    size_t count = 0;
    oq_error err = {0};
    CK_OK(oq_path_list(&mem, folder, &names, &count, &err), &err);
    oq_path_list_free(&mem, names, count);
    return count;
}

START_TEST(written_bytes_come_back) {
    oq_error err = {0};
    static uint8_t bytes[700000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + i / 251);
    oq_writer *writer = NULL;
    CK_OK(oq_writer_open(&mem, path, &writer, &err), &err);
    const size_t portions[] = {1, 300000, 0, 262144, 137855};
    size_t offset = 0;
    for (int i = 0; i < 5; i++) {
        CK_OK(oq_writer_write(writer, bytes + offset, portions[i], &err), &err);
        offset += portions[i];
        ck_assert_uint_eq(oq_writer_offset(writer), offset);
    }
    ck_assert(!oq_path_exists(path)); // nothing under the name before commit
    CK_OK(oq_writer_commit(writer, &err), &err);
    oq_file *file = NULL;
    CK_OK(oq_file_open(&mem, path, &file, &err), &err);
    ck_assert_uint_eq(oq_file_size(file), sizeof bytes);
    static uint8_t back[1000];
    CK_OK(oq_file_read(file, 299500, back, 1000, &err), &err);
    ck_assert_mem_eq(back, bytes + 299500, 1000);
    ck_assert_int_eq(oq_file_read(file, sizeof bytes - 5, back, 6, &err), ONNXQ_IO);
    ck_assert_str_eq(err.file, path);
    ck_assert_int_eq(oq_file_read(file, UINT64_MAX, back, 1, NULL), ONNXQ_IO);
    oq_file_release(oq_file_retain(file));
    unlink(path);
    CK_OK(oq_file_read(file, 0, back, 10, &(oq_error){0}), &err); // stays readable
    oq_file_release(file);
    CK_OK(oq_file_of_bytes(&mem, "bytes", (const uint8_t *)"abcdef", 6, &file, &err), &err);
    CK_OK(oq_file_read(file, 2, back, 4, &err), &err);
    ck_assert_mem_eq(back, "cdef", 4);
    ck_assert_int_eq(oq_file_read(file, 3, back, 4, NULL), ONNXQ_IO);
    ck_assert_int_eq(oq_file_read(file, UINT64_MAX, back, 1, NULL), ONNXQ_IO);
    oq_file_release(file);
}
END_TEST

START_TEST(abort_leaves_the_old_file) {
    oq_error err = {0};
    put(path, "old");
    oq_writer *writer = NULL;
    CK_OK(oq_writer_open(&mem, path, &writer, &err), &err);
    CK_OK(oq_writer_write(writer, "new", 3, &err), &err);
    oq_writer_abort(writer);
    expect(path, "old");
    ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(permissions_of_a_replaced_file_stay) {
    put(path, "old");
    ck_assert_int_eq(chmod(path, 0640), 0);
    put(path, "new");
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq((int)(info.st_mode & 0777), 0640);
    expect(path, "new");
}
END_TEST

START_TEST(links_are_followed) {
    put(other, "old");
    ck_assert_int_eq(symlink("other.bin", path), 0);
    put(path, "new");
    expect(other, "new");
    struct stat info;
    ck_assert_int_eq(lstat(path, &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    unlink(other);
    put(path, "again"); // a link to nothing yet
    expect(other, "again");
    ck_assert_uint_eq(entries(), 2);
    unlink(other);
    ck_assert_int_eq(symlink("target.bin", other), 0); // a ring
    oq_writer *writer = NULL;
    ck_assert_int_eq(oq_writer_open(&mem, path, &writer, NULL), ONNXQ_IO);
}
END_TEST

START_TEST(impossible_targets_name_the_path) {
    oq_error err = {0};
    oq_writer *writer = NULL;
    snprintf(other, sizeof other, "%s/absent/file", folder);
    ck_assert_int_eq(oq_writer_open(&mem, other, &writer, &err), ONNXQ_IO);
    ck_assert_ptr_nonnull(strstr(err.message, other));
    ck_assert_str_eq(err.file, other);
    ck_assert_int_eq(oq_writer_open(&mem, folder, &writer, NULL), ONNXQ_IO);
    ck_assert_int_eq(oq_writer_open(&mem, "", &writer, NULL), ONNXQ_IO);
    oq_file *file = NULL;
    ck_assert_int_eq(oq_file_open(&mem, folder, &file, NULL), ONNXQ_IO);
    ck_assert_int_eq(oq_file_open(&mem, other, &file, NULL), ONNXQ_IO);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(oq_file_open(&mem, path, &file, NULL), ONNXQ_IO); // and does not hang
}
END_TEST

START_TEST(full_disk_is_reported) {
    oq_error err = {0};
    oq_writer *writer = NULL;
    CK_OK(oq_writer_open(&mem, "/dev/full", &writer, &err), &err);
    CK_OK(oq_writer_write(writer, "x", 1, &err), &err);
    ck_assert_int_eq(oq_writer_commit(writer, &err), ONNXQ_IO);
    ck_assert_ptr_nonnull(strstr(err.message, "/dev/full"));
    // A file size limit behaves like a full disk, and leaves nothing.
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {.rlim_cur = 300000, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    put(path, "old");
    static char bytes[400000];
    CK_OK(oq_writer_open(&mem, path, &writer, &(oq_error){0}), &err);
    oq_error failure = {0};
    oq_status status = oq_writer_write(writer, bytes, sizeof bytes, &failure);
    ck_assert_int_eq(status, ONNXQ_IO);
    oq_writer_abort(writer);
    expect(path, "old");
    ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(paths) {
    char *text = oq_path_folder(&mem, "/a/b/c.onnx", NULL);
    ck_assert_str_eq(text, "/a/b");
    oq_mem_free(&mem, text);
    text = oq_path_folder(&mem, "c.onnx", NULL);
    ck_assert_str_eq(text, ".");
    oq_mem_free(&mem, text);
    text = oq_path_folder(&mem, "/c.onnx", NULL);
    ck_assert_str_eq(text, "/");
    oq_mem_free(&mem, text);
    text = oq_path_join(&mem, "a", "b", NULL);
    ck_assert_str_eq(text, "a/b");
    oq_mem_free(&mem, text);
    text = oq_path_join(&mem, "a/", "b", NULL);
    ck_assert_str_eq(text, "a/b");
    oq_mem_free(&mem, text);
    ck_assert_str_eq(oq_path_name("/a/b"), "b");
    ck_assert_str_eq(oq_path_name("b"), "b");
    ck_assert(oq_path_is_folder(folder));
    ck_assert(!oq_path_is_folder(path));
    put(path, "1"), put(other, "2");
    char **names = NULL;
    size_t count = 0;
    CK_OK(oq_path_list(&mem, folder, &names, &count, NULL), &(oq_error){0});
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(names[0], "other.bin");
    ck_assert_str_eq(names[1], "target.bin");
    oq_path_list_free(&mem, names, count);
}
END_TEST

// Every allocation of a save and of a load may fail: an error, nothing leaked, the old file whole.
START_TEST(survives_failing_allocations) {
    put(path, "old");
    for (long long n = 1; n < 50; n++) {
        oq_writer *writer = NULL;
        mem.fail_after = n;
        oq_status status = oq_writer_open(&mem, path, &writer, NULL);
        if (status == ONNXQ_OK) status = oq_writer_write(writer, "new", 3, NULL);
        if (writer) status = oq_writer_commit(writer, NULL);
        mem.fail_after = 0;
        ck_assert_uint_eq(mem.used, 0);
        ck_assert_uint_eq(entries(), 1);
        if (status == ONNXQ_OK) break;
        expect(path, "old");
        ck_assert_int_lt(n, 40);
    }
    expect(path, "new");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base file");
    TCase *tcase = tcase_create("file");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, written_bytes_come_back);
    tcase_add_test(tcase, abort_leaves_the_old_file);
    tcase_add_test(tcase, permissions_of_a_replaced_file_stay);
    tcase_add_test(tcase, links_are_followed);
    tcase_add_test(tcase, impossible_targets_name_the_path);
    tcase_add_test(tcase, full_disk_is_reported);
    tcase_add_test(tcase, paths);
    tcase_add_test(tcase, survives_failing_allocations);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
