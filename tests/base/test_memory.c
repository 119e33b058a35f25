// Tests of base: accounted memory, arena, map, pool.
#include "base/arena.h"
#include "base/map.h"
#include "base/pool.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

START_TEST(blocks_are_aligned_and_accounted) {
    oq_mem mem = {0};
    oq_error err = {0};
    void *a = oq_mem_alloc(&mem, 1, &err);
    void *b = oq_mem_calloc(&mem, 100, 8, &err);
    void *c = oq_mem_alloc(&mem, 0, &err);
    ck_assert(a && b && c && c != a && c != b);
    ck_assert_uint_eq((uintptr_t)a % OQ_ALIGNMENT, 0);
    ck_assert_uint_eq((uintptr_t)b % OQ_ALIGNMENT, 0);
    for (size_t i = 0; i < 800; i++) ck_assert_int_eq(((char *)b)[i], 0);
    ck_assert_uint_ge(mem.used, 801);
    memset(a, 7, 1);
    a = oq_mem_realloc(&mem, a, 1000, &err);
    ck_assert_int_eq(*(char *)a, 7);
    const size_t peak = mem.peak;
    oq_mem_free(&mem, a), oq_mem_free(&mem, b), oq_mem_free(&mem, c), oq_mem_free(&mem, NULL);
    ck_assert_uint_eq(mem.used, 0);
    ck_assert_uint_eq(mem.peak, peak);
}
END_TEST

START_TEST(budget_and_absurd_sizes_are_errors) {
    oq_mem mem = {.budget = 4096};
    oq_error err = {0};
    void *a = oq_mem_alloc(&mem, 2000, &err);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_null(oq_mem_alloc(&mem, 3000, &err));
    ck_assert_int_eq(err.status, ONNXQ_NO_MEMORY);
    ck_assert_ptr_nonnull(strstr(err.message, "budget of 4096"));
    ck_assert_ptr_null(oq_mem_realloc(&mem, a, 5000, NULL));
    oq_mem_free(&mem, a);
    mem.budget = 0;
    ck_assert_ptr_null(oq_mem_alloc(&mem, SIZE_MAX, NULL));
    ck_assert_ptr_null(oq_mem_alloc(&mem, SIZE_MAX / 2, NULL));
    ck_assert_ptr_null(oq_mem_calloc(&mem, SIZE_MAX / 2, 3, NULL));
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(fault_hook_fails_the_nth_and_all_later) {
    oq_mem mem = {.fail_after = 3};
    void *a = oq_mem_alloc(&mem, 1, NULL);
    void *b = oq_mem_alloc(&mem, 1, NULL);
    ck_assert(a && b);
    ck_assert_ptr_null(oq_mem_alloc(&mem, 1, NULL));
    ck_assert_ptr_null(oq_mem_alloc(&mem, 1, NULL));
    mem.fail_after = 0;
    void *c = oq_mem_alloc(&mem, 1, NULL);
    ck_assert_ptr_nonnull(c);
    oq_mem_free(&mem, a), oq_mem_free(&mem, b), oq_mem_free(&mem, c);
}
END_TEST

START_TEST(reserve_grows_and_keeps) {
    oq_mem mem = {0};
    void *list = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        CK_OK(oq_mem_reserve(&mem, &list, i, &capacity, sizeof(int), NULL), &(oq_error){0});
        ((int *)list)[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(((int *)list)[i], i);
    oq_mem_free(&mem, list);
}
END_TEST

static bool all_are(const unsigned char *bytes, size_t count, int value) {
    size_t same = 0;
    for (size_t i = 0; i < count; i++) same += bytes[i] == value;
    return same == count;
}

START_TEST(arena_blocks_do_not_overlap) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_arena arena;
    oq_arena_init(&arena, &mem);
    enum { COUNT = 2000 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = i % 97 == 0 ? 70000 : i * 7 % 300;
        blocks[i] = oq_arena_alloc(&arena, sizes[i], &err);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
        ck_assert(all_are(blocks[i], sizes[i], 0));
        memset(blocks[i], (int)(i % 255) + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) ck_assert(all_are(blocks[i], sizes[i], (int)(i % 255) + 1));
    ck_assert_str_eq(oq_arena_printf(&arena, &err, "%s_%d", "x", 2), "x_2");
    ck_assert_str_eq(oq_arena_strndup(&arena, "abcdef", 3, &err), "abc");
    ck_assert_ptr_null(oq_arena_alloc(&arena, SIZE_MAX, NULL));
    ck_assert_ptr_null(oq_arena_calloc(&arena, SIZE_MAX / 2, 4, NULL));
    oq_arena_release(&arena);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// The map against a plain array as oracle, through inserts, replacements and removals.
START_TEST(map_behaves_like_an_array) {
    oq_mem mem = {0};
    oq_map map;
    oq_map_init(&map, &mem);
    enum { KEYS = 500 };
    static char keys[KEYS][16];
    int32_t wanted[KEYS];
    size_t live = 0;
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "key%d", i);
        wanted[i] = -1;
    }
    uint32_t random = 1;
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        const uint32_t k = (random >> 8) % KEYS;
        if (random >> 31) {
            live += wanted[k] < 0;
            wanted[k] = step;
            CK_OK(oq_map_set(&map, keys[k], step, NULL), &(oq_error){0});
        } else {
            live -= wanted[k] >= 0;
            wanted[k] = -1;
            oq_map_remove(&map, keys[k]);
        }
        ck_assert_uint_eq(map.count, live);
        if (step % 500 == 0)
            for (int i = 0; i < KEYS; i++) ck_assert_int_eq(oq_map_get(&map, keys[i], -1), wanted[i]);
    }
    ck_assert_int_eq(oq_map_get(&map, "absent", -7), -7);
    oq_map_release(&map);
    ck_assert_int_eq(oq_map_get(&map, "key1", -7), -7);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

typedef struct count_work {
    atomic_int done[300];
    int fail_at[2];
} count_work;

static oq_status count_item(void *self, size_t index, size_t worker, oq_error *err) {
    count_work *work = self;
    if (worker >= 4) return ONNXQ_INTERNAL;
    if ((int)index == work->fail_at[0]) usleep(2000); // the lower failure comes later in time
    atomic_fetch_add(&work->done[index], 1);
    for (int k = 0; k < 2; k++)
        if ((int)index == work->fail_at[k]) return oq_fail(err, ONNXQ_BAD_DATA, "item %zu", index);
    return ONNXQ_OK;
}

START_TEST(pool_runs_each_item_once) {
    oq_mem mem = {0};
    oq_pool *pool = NULL;
    oq_error err = {0};
    CK_OK(oq_pool_new(&mem, (size_t)_i, &pool, &err), &err);
    ck_assert_uint_eq(oq_pool_threads(pool), (size_t)_i);
    for (int round = 0; round < 20; round++) {
        count_work work = {.fail_at = {-1, -1}};
        CK_OK(oq_pool_run(pool, 300, count_item, &work, &err), &err);
        for (int i = 0; i < 300; i++) ck_assert_int_eq(work.done[i], 1);
    }
    CK_OK(oq_pool_run(pool, 0, count_item, NULL, &err), &err);
    oq_pool_free(pool);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(pool_returns_the_lowest_failure) {
    oq_mem mem = {0};
    oq_pool *pool = NULL;
    oq_error err = {0};
    CK_OK(oq_pool_new(&mem, 4, &pool, &err), &err);
    for (int round = 0; round < 10; round++) {
        count_work work = {.fail_at = {40, 42}};
        oq_error failure = {0};
        ck_assert_int_eq(oq_pool_run(round % 2 ? pool : NULL, 300, count_item, &work, &failure),
                         ONNXQ_BAD_DATA);
        ck_assert_str_eq(failure.message, "item 40");
        for (int i = 0; i <= 40; i++) ck_assert_int_eq(work.done[i], 1);
        ck_assert_int_eq(work.done[299], 0);
    }
    oq_pool_free(pool);
}
END_TEST

static oq_status run_nested(void *self, size_t index, size_t worker, oq_error *err) {
    (void)index, (void)worker;
    return oq_pool_run(self, 2, run_nested, self, err);
}

START_TEST(pool_refuses_to_run_inside_itself) {
    oq_mem mem = {0};
    oq_pool *pool = NULL;
    oq_error err = {0};
    CK_OK(oq_pool_new(&mem, 2, &pool, &err), &err);
    ck_assert_int_eq(oq_pool_run(pool, 2, run_nested, pool, &err), ONNXQ_INTERNAL);
    oq_pool_free(pool);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base memory");
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, blocks_are_aligned_and_accounted);
    tcase_add_test(memory, budget_and_absurd_sizes_are_errors);
    tcase_add_test(memory, fault_hook_fails_the_nth_and_all_later);
    tcase_add_test(memory, reserve_grows_and_keeps);
    tcase_add_test(memory, arena_blocks_do_not_overlap);
    tcase_add_test(memory, map_behaves_like_an_array);
    suite_add_tcase(suite, memory);
    TCase *pool = tcase_create("pool");
    tcase_add_loop_test(pool, pool_runs_each_item_once, 1, 5);
    tcase_add_test(pool, pool_returns_the_lowest_failure);
    tcase_add_test(pool, pool_refuses_to_run_inside_itself);
    suite_add_tcase(suite, pool);
    return test_main(suite);
}
