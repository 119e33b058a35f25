// Exact sums of floats: rounded once, the same in any order, as exact with fewer digits.
#include "stats/stats.h"
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <string.h>

static uint32_t random_bits(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

START_TEST(sums_are_exact) {
    oq_exact_sum sum = {{0}};
    const double values[] = {1e150, 1, -1e150, 0x1p-500, 3, -0x1p-500};
    for (int i = 0; i < 6; i++) oq_exact_sum_add(&sum, values[i]);
    ck_assert(oq_exact_sum_get(&sum) == 4);
    oq_exact_sum_add(&sum, -4.5);
    ck_assert(oq_exact_sum_get(&sum) == -0.5);
    oq_exact_sum ones = {{0}};
    for (int i = 0; i < 1000; i++) oq_exact_sum_add(&ones, 0.1);
    ck_assert(oq_exact_sum_get(&ones) == (double)(1000 * (long double)0.1)); // rounded once
    oq_exact_sum none = {{0}};
    ck_assert(oq_exact_sum_get(&none) == 0);
}
END_TEST

// Ties of the last rounding go to even, and one unit far below breaks them.
START_TEST(sums_round_once) {
    const double cases[][3] = {{0x1p53, 1, 0x1p53},
                               {0x1p53, 3, 0x1p53 + 4},
                               {-0x1p53, -1, -0x1p53},
                               {0x1p53 + 2, 1, 0x1p53 + 4},
                               {0x1p-100, 0x1p-153, 0x1p-100}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        oq_exact_sum sum = {{0}};
        oq_exact_sum_add(&sum, cases[i][0]);
        oq_exact_sum_add(&sum, cases[i][1]);
        ck_assert(oq_exact_sum_get(&sum) == cases[i][2]);
        oq_exact_sum_add(&sum, cases[i][1] > 0 ? 0x1p-500 : -0x1p-500);
        ck_assert(fabs(oq_exact_sum_get(&sum)) > fabs(cases[i][0]));
    }
}
END_TEST

START_TEST(sums_do_not_depend_on_the_order) {
    enum { COUNT = 500 };
    double values[COUNT];
    uint64_t state = 3;
    for (int i = 0; i < COUNT; i++)
        values[i] = ldexp((double)(int32_t)random_bits(&state), (int)(random_bits(&state) % 300) - 150);
    oq_exact_sum whole = {{0}};
    oq_exact_sum parts[7] = {{{0}}};
    for (int i = 0; i < COUNT; i++) oq_exact_sum_add(&whole, values[i]);
    for (int i = COUNT; i-- > 0;) oq_exact_sum_add(&parts[i % 7], values[i]);
    for (int i = 1; i < 7; i++) oq_exact_sum_merge(&parts[0], &parts[i]);
    oq_exact_sum_normalize(&whole);
    oq_exact_sum_normalize(&parts[0]);
    ck_assert_mem_eq(&whole, &parts[0], sizeof whole);
}
END_TEST

// Sums of channels give what wide ones do, and pass through them.
START_TEST(narrow_sums_are_as_exact) {
    static const float ends[] = {0x1p-149F, -0x1p-149F, 3.4e38F, -3.4e38F, 1, -0.1F};
    uint64_t state = 9;
    oq_channel_sum sum = {{0}}, again, other = {{0}};
    oq_exact_sum whole = {{0}}, widened;
    for (int i = 0; i < 600; i++) {
        const double value =
            i % 3 ? (double)ends[random_bits(&state) % 6] : ldexp((double)(int32_t)random_bits(&state), -40);
        oq_channel_sum_add(i % 2 ? &sum : &other, value);
        oq_exact_sum_add(&whole, value);
    }
    oq_channel_sum_merge(&sum, &other);
    ck_assert(oq_channel_sum_get(&sum) == oq_exact_sum_get(&whole));
    oq_exact_sum_normalize(&whole);
    oq_channel_sum_widen(&sum, &widened);
    ck_assert_mem_eq(&whole, &widened, sizeof whole);
    ck_assert(oq_channel_sum_narrow(&widened, &again));
    ck_assert_mem_eq(&again, &sum, sizeof again);
    oq_exact_sum_add(&whole, 0x1p-400);
    oq_exact_sum_normalize(&whole);
    ck_assert(!oq_channel_sum_narrow(&whole, &again));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stats/exact");
    TCase *sums = tcase_create("sums");
    tcase_add_test(sums, sums_are_exact);
    tcase_add_test(sums, sums_round_once);
    tcase_add_test(sums, sums_do_not_depend_on_the_order);
    tcase_add_test(sums, narrow_sums_are_as_exact);
    suite_add_tcase(suite, sums);
    return test_main(suite);
}
