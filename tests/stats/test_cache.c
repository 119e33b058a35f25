// Laws of the cache folder: what was stored is found under its own key alone, damage is told, the size is
// bounded.
#include "base/file.h"
#include "stats/cache.h"
#include "support/support.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct setting {
    oq_mem mem;
    char folder[512];
    oq_stats *stats;
    oq_cache_key key;
} setting;

static oq_cache_key key_of(setting *s, uint64_t data, bool observed, int axis) {
    oq_error err = {0};
    oq_cache_key key = {.model = {1, 2}, .data = {3, data}};
    CK_OK(oq_cache_key_name(&key, &s->mem, &observed, &axis, 1, &err), &err);
    return key;
}

static void setup(setting *s) {
    oq_error err = {0};
    oq_tensor_stats *x;
    const float values[] = {1, -2, 3};
    *s = (setting){0};
    test_temporary_folder(s->folder, sizeof s->folder);
    s->key = key_of(s, 4, true, -1);
    CK_OK(oq_stats_new(&s->mem, &s->stats, &err), &err);
    CK_OK(oq_stats_ensure(s->stats, "x", &x, &err), &err);
    oq_tensor tensor = test_tensor_f32(&s->mem, OQ_SHAPE(3), values);
    CK_OK(oq_stats_add(x, &s->mem, &tensor, 0, &err), &err);
    oq_tensor_release(&tensor);
    s->stats->model = s->key.model;
    s->stats->data = s->key.data;
}

static void teardown(setting *s) {
    oq_stats_free(s->stats);
    test_remove_folder(s->folder);
    ck_assert_uint_eq(atomic_load(&s->mem.used), 0);
}

static bool finds(setting *s, const oq_cache_key *key) {
    oq_error err = {0};
    oq_stats *found;
    CK_OK(oq_cache_find(&s->mem, s->folder, key, &found, &err), &err);
    if (found) ck_assert(oq_stats_find(found, "x")->min == -2 && oq_stats_find(found, "x")->max == 3);
    oq_stats_free(found);
    return found != NULL;
}

START_TEST(a_key_finds_its_own_statistics_alone) {
    setting s;
    oq_error err = {0};
    setup(&s);
    ck_assert(!finds(&s, &s.key));
    CK_OK(oq_cache_store(s.stats, s.folder, &s.key, &err), &err);
    ck_assert(finds(&s, &s.key));
    const oq_cache_key others[] = {key_of(&s, 5, true, -1), key_of(&s, 4, false, -1), key_of(&s, 4, true, 1)};
    for (size_t i = 0; i < 3; i++) ck_assert(!finds(&s, &others[i]));
    teardown(&s);
}
END_TEST

START_TEST(a_damaged_or_foreign_file_is_told) {
    setting s;
    oq_error err = {0};
    oq_stats *found;
    char path[700], name[33];
    setup(&s);
    CK_OK(oq_cache_store(s.stats, s.folder, &s.key, &err), &err);
    oq_cache_key other = key_of(&s, 5, true, -1);
    other.name = s.key.name; // as if two hashes met
    ck_assert_int_eq(oq_cache_find(&s.mem, s.folder, &other, &found, &err), ONNXQ_BAD_DATA);
    ck_assert(!found && strstr(err.message, "of another model or of other data"));
    snprintf(path, sizeof path, "%s/%s.statistics", s.folder, oq_hash_format(s.key.name, name));
    ck_assert_int_eq(truncate(path, 40), 0);
    err = (oq_error){0};
    ck_assert_int_eq(oq_cache_find(&s.mem, s.folder, &s.key, &found, &err), ONNXQ_BAD_DATA);
    ck_assert(!found && err.message[0]);
    CK_OK(oq_cache_store(s.stats, s.folder, &s.key, &err), &err);
    ck_assert(finds(&s, &s.key));
    teardown(&s);
}
END_TEST

// A file of `megabytes` (without blocks on disk) that was last used `age` seconds ago.
static void place(const setting *s, const char *name, off_t megabytes, time_t age) {
    char path[700];
    struct stat now;
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    const int file = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ftruncate(file, megabytes << 20), 0);
    ck_assert_int_eq(fstat(file, &now), 0);
    const struct timespec times[2] = {{.tv_sec = now.st_mtim.tv_sec - age},
                                      {.tv_sec = now.st_mtim.tv_sec - age}};
    ck_assert_int_eq(futimens(file, times), 0);
    close(file);
}

static bool is_there(const setting *s, const char *name) {
    char path[700];
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    return oq_path_exists(path);
}

START_TEST(what_was_used_longest_ago_goes_first) {
    setting s;
    oq_error err = {0};
    setup(&s);
    CK_OK(oq_cache_store(s.stats, s.folder, &s.key, &err), &err);
    place(&s, "b.statistics", 100, 3000);
    place(&s, "a.statistics", 100, 2000);
    place(&s, ".onnxq-0.tmp", 1, 4000); // of a writer that was killed
    place(&s, "c.statistics", 100, 1000);
    place(&s, "notes.txt", 500, 9000); // the user's own
    CK_OK(oq_cache_store(s.stats, s.folder, &s.key, &err), &err);
    ck_assert(finds(&s, &s.key));
    ck_assert(!is_there(&s, ".onnxq-0.tmp") && !is_there(&s, "b.statistics"));
    ck_assert(is_there(&s, "a.statistics") && is_there(&s, "c.statistics") && is_there(&s, "notes.txt"));
    teardown(&s);
}
END_TEST

START_TEST(a_hit_counts_as_use) {
    setting s;
    oq_error err = {0};
    char name[33], file[50];
    setup(&s);
    CK_OK(oq_cache_store(s.stats, s.folder, &s.key, &err), &err);
    snprintf(file, sizeof file, "%s.statistics", oq_hash_format(s.key.name, name));
    char path[700];
    snprintf(path, sizeof path, "%s/%s", s.folder, file);
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    ck_assert(finds(&s, &s.key));
    struct stat facts;
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert_int_gt(facts.st_mtim.tv_sec, 1000);
    teardown(&s);
}
END_TEST

// Their first sample with NaN is a place in an order that the key does not know.
START_TEST(values_that_are_no_numbers_are_not_kept) {
    setting s;
    oq_error err = {0};
    setup(&s);
    s.stats->tensors[0]->nan = 1;
    CK_OK(oq_cache_store(s.stats, s.folder, &s.key, &err), &err);
    ck_assert(!finds(&s, &s.key));
    teardown(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cache");
    TCase *tcase = tcase_create("laws");
    tcase_add_test(tcase, a_key_finds_its_own_statistics_alone);
    tcase_add_test(tcase, a_damaged_or_foreign_file_is_told);
    tcase_add_test(tcase, what_was_used_longest_ago_goes_first);
    tcase_add_test(tcase, a_hit_counts_as_use);
    tcase_add_test(tcase, values_that_are_no_numbers_are_not_kept);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
