// Levels: sets that depend on the values alone, and lattices that are found where they are and nowhere else.
#include "stats/levels.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static oq_levels of(const float *x, size_t n) {
    oq_levels l = {0};
    oq_levels_add(&l, x, n);
    return l;
}

// 200 values, most of them several times, in any order, in any parts.
START_TEST(sets_do_not_depend_on_the_order) {
    enum { COUNT = 1000 };
    float up[COUNT], down[COUNT];
    for (int i = 0; i < COUNT; i++) up[i] = down[COUNT - 1 - i] = (float)(i * 37 % 200) * .25f - 20;
    const oq_levels one = of(up, COUNT), other = of(down, COUNT);
    oq_levels parts[3] = {{0}};
    for (int i = 0; i < COUNT; i++) oq_levels_add(&parts[i % 3], &up[i], 1);
    oq_levels_merge(&parts[1], &parts[0]);
    oq_levels_merge(&parts[1], &parts[2]);
    ck_assert_uint_eq(one.count, 200);
    ck_assert_mem_eq(&one, &other, sizeof one);
    ck_assert_mem_eq(&one, &parts[1], sizeof one);
    ck_assert(oq_levels_are_sound(&one));
}
END_TEST

START_TEST(zero_has_one_sign) {
    const oq_levels l = of((const float[]){-0.0f, 0.0f, -0.0f}, 3);
    ck_assert_uint_eq(l.count, 1);
    ck_assert(!signbit(l.value[0]));
}
END_TEST

// More values than a set holds, at once, one by one, by merging, or one that is no number: always the same.
START_TEST(too_many_is_one_state) {
    float x[OQ_LEVELS_MOST + 1];
    for (size_t i = 0; i <= OQ_LEVELS_MOST; i++) x[i] = (float)i;
    const oq_levels whole = of(x, OQ_LEVELS_MOST + 1), infinite = of((const float[]){1, INFINITY}, 2);
    oq_levels slow = {0}, first = of(x, 200), second = of(x + 200, OQ_LEVELS_MOST - 199), back = second;
    for (size_t i = 0; i <= OQ_LEVELS_MOST; i++) oq_levels_add(&slow, &x[i], 1);
    oq_levels_merge(&back, &first);
    oq_levels_merge(&first, &second);
    oq_levels_add(&first, x, 1);
    ck_assert_uint_eq(whole.count, OQ_LEVELS_MOST + 1);
    ck_assert_mem_eq(&whole, &slow, sizeof whole);
    ck_assert_mem_eq(&whole, &first, sizeof whole);
    ck_assert_mem_eq(&whole, &back, sizeof whole);
    ck_assert_mem_eq(&whole, &infinite, sizeof whole);
    oq_lattice lattice;
    ck_assert(!oq_levels_lattice(&whole, &lattice));
    ck_assert_uint_eq(of(x, OQ_LEVELS_MOST).count, OQ_LEVELS_MOST);
}
END_TEST

START_TEST(unsound_sets_are_known) {
    ck_assert(!oq_levels_are_sound(&(oq_levels){.count = OQ_LEVELS_MOST + 2}));
    ck_assert(!oq_levels_are_sound(&(oq_levels){.count = 2, .value = {1, 1}}));
    ck_assert(!oq_levels_are_sound(&(oq_levels){.count = 2, .value = {2, 1}}));
    ck_assert(!oq_levels_are_sound(&(oq_levels){.count = 1, .value = {NAN}}));
    ck_assert(oq_levels_are_sound(&(oq_levels){.count = OQ_LEVELS_MOST + 1}));
}
END_TEST

// (i / 255 - mean) / deviation in float32, as pipelines normalize pixels; some levels never occur.
static const struct {
    float mean, deviation;
    int first, last, stride; // levels first, first + 1, and then every stride-th
} pixels[] = {{.485f, .229f, 0, 255, 1}, {.456f, .224f, 3, 250, 1}, {.406f, .225f, 0, 255, 3},
              {0, 1, 0, 255, 1},         {.5f, .5f, 100, 160, 1},   {0, .00392156886f, 7, 207, 5},
              {127.5f, 1e-3f, 0, 255, 2}};

START_TEST(pixels_are_found) {
    const float mean = pixels[_i].mean, deviation = pixels[_i].deviation;
    float x[OQ_LEVELS_MOST];
    size_t count = 0;
    for (int i = pixels[_i].first; i <= pixels[_i].last; i += i == pixels[_i].first ? 1 : pixels[_i].stride)
        x[count++] = ((float)i / 255 - mean) / deviation;
    const oq_levels l = of(x, count);
    const double step = 1 / (255 * (double)deviation);
    oq_lattice lattice;
    ck_assert(oq_levels_lattice(&l, &lattice));
    ck_assert(fabs(lattice.step / step - 1) < 1e-4);
    ck_assert(fabs(lattice.low - (double)x[0]) < .01 * step);
    ck_assert_int_eq(lattice.last, (int)rint(((double)x[count - 1] - (double)x[0]) / step));
}
END_TEST

// Neighbours that never occur: the nearest two levels are 2 and 3 steps apart.
START_TEST(coarse_neighbours_tell_a_finer_step) {
    float x[60];
    int at = 0;
    for (int i = 0; i < 60; i++, at += i % 2 ? 2 : 3) x[i] = (float)at / 64 - 1;
    const oq_levels l = of(x, 60);
    oq_lattice lattice;
    ck_assert(oq_levels_lattice(&l, &lattice));
    ck_assert(fabs(lattice.step * 64 - 1) < 1e-9);
    ck_assert_int_eq(lattice.last, (int)((x[59] + 1) * 64));
}
END_TEST

START_TEST(other_numbers_are_no_lattice) {
    float curve[200], few[31], wide[100];
    for (int i = 0; i < 200; i++) curve[i] = (float)(i * i) * 1e-3f + (float)i;
    for (int i = 0; i < 31; i++) few[i] = (float)i;
    for (int i = 0; i < 100; i++) wide[i] = (float)(3 * i + (i % 3 == 1)); // 297 steps
    oq_lattice lattice;
    oq_levels l = of(curve, 200);
    ck_assert(!oq_levels_lattice(&l, &lattice));
    l = of(few, 31);
    ck_assert(!oq_levels_lattice(&l, &lattice));
    l = of(wide, 100);
    ck_assert(!oq_levels_lattice(&l, &lattice));
    ck_assert(!oq_levels_lattice(&(oq_levels){0}, &lattice));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("levels");
    TCase *tcase = tcase_create("levels");
    tcase_add_test(tcase, sets_do_not_depend_on_the_order);
    tcase_add_test(tcase, zero_has_one_sign);
    tcase_add_test(tcase, too_many_is_one_state);
    tcase_add_test(tcase, unsound_sets_are_known);
    tcase_add_loop_test(tcase, pixels_are_found, 0, sizeof pixels / sizeof *pixels);
    tcase_add_test(tcase, coarse_neighbours_tell_a_finer_step);
    tcase_add_test(tcase, other_numbers_are_no_lattice);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
