// Laws of rounding that looks at data: no integer alone can be moved for the better, what the judge says is
// what the error does, and moments are those of the rows.
#include "support/support.h"
#include "tune/gram.h"
#include "tune/round.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, DEPTH = 21, SAMPLES = 90, WIDE = 2 * DEPTH };

static oq_mem mem;
static oq_error err;

// Uniform in [-1, 1).
static float noise(uint64_t *state) {
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (float)(*state >> 40) / (float)(1 << 23) - 1;
}

typedef struct setting {
    float w[ROWS * DEPTH];
    int32_t q[ROWS * DEPTH];
    oq_qparam params[ROWS];
    oq_gram gram;
    oq_round_problem problem;
} setting;

// Rows as they come, of as many columns as are asked for.
typedef struct maker {
    float x[OQ_GRAM_ROOM][WIDE], xq[OQ_GRAM_ROOM][WIDE];
    size_t count;
} maker;

static void fill(const void *self, size_t from, size_t to, float *x, float *xq, size_t pitch) {
    const maker *m = self;
    for (size_t k = from; k < to; k++, x += pitch, xq += pitch)
        for (size_t i = 0; i < m->count; i++) {
            x[i] = m->x[i][k];
            xq[i] = m->xq[i][k];
        }
}

// Inputs that hang together: neighbours share most of what they are; the quantized ones are off by a tenth.
static void add_rows(oq_gram *gram, size_t count, size_t room, uint64_t seed) {
    static maker m;
    for (size_t r = 0; r < count; r += m.count) {
        m.count = count - r < room ? count - r : room;
        for (size_t i = 0; i < m.count; i++) {
            float common = noise(&seed);
            for (size_t k = 0; k < gram->groups * gram->depth; k++) {
                common = 0.9F * common + 0.3F * noise(&seed);
                m.x[i][k] = common + 0.5F;
                m.xq[i][k] = m.x[i][k] + 0.1F * noise(&seed) + 0.05F;
            }
        }
        const oq_gram_source source = {.self = &m, .fill = fill};
        CK_OK(oq_gram_add(gram, m.count, &source, &err), &err);
    }
}

static void begin(setting *s, int bits, oq_pool *pool) {
    uint64_t seed = 5;
    *s = (setting){0};
    const oq_grid grid = oq_grid_make(bits, true, true);
    for (size_t i = 0; i < ROWS; i++) s->params[i] = (oq_qparam){.scale = 1 / (float)grid.qmax};
    for (size_t i = 0; i < ROWS * DEPTH; i++) {
        s->w[i] = noise(&seed);
        s->q[i] = oq_quantize_one(&grid, s->params[i / DEPTH], s->w[i]);
    }
    CK_OK(oq_gram_begin(&s->gram, &mem, pool, 1, DEPTH, true, &err), &err);
    add_rows(&s->gram, SAMPLES, OQ_GRAM_ROOM, 77);
    CK_OK(oq_gram_end(&s->gram, &err), &err);
    s->problem = (oq_round_problem){.mem = &mem,
                                    .pool = pool,
                                    .rows = ROWS,
                                    .depth = DEPTH,
                                    .pitch = DEPTH,
                                    .w = s->w,
                                    .q = s->q,
                                    .grid = grid,
                                    .params = s->params,
                                    .param_pitch = 1,
                                    .group = DEPTH,
                                    .second = s->gram.second,
                                    .drift = s->gram.drift,
                                    .ridge = 0.01F,
                                    .share = 1};
}

static void end(setting *s) {
    oq_gram_release(&s->gram);
    ck_assert_uint_eq(mem.used, 0);
}

// The error of one row as round.h has it, in double.
static double error_of(const oq_round_problem *p, size_t row, const int32_t *q) {
    double e[DEPTH], sum = 0, trace = 0;
    for (size_t k = 0; k < p->depth; k++) {
        e[k] = (double)oq_dequantize_one(p->params[row], q[row * p->pitch + k]) -
               (double)p->w[row * p->pitch + k];
        trace += (double)p->second[k * p->depth + k];
    }
    for (size_t i = 0; i < p->depth; i++) {
        sum += (double)p->ridge * trace / (double)p->depth * e[i] * e[i];
        for (size_t j = 0; j < p->depth; j++) {
            sum += e[i] * (double)p->second[i * p->depth + j] * e[j];
            const double drift = p->drift ? (double)p->drift[i * p->depth + j] : 0;
            sum -= 2 * (double)p->share * (double)p->w[row * p->pitch + i] * drift * e[j];
        }
    }
    return sum;
}

static double total(const setting *s, const int32_t *q) {
    double sum = 0;
    for (size_t i = 0; i < ROWS; i++) sum += error_of(&s->problem, i, q);
    return sum;
}

START_TEST(no_single_integer_is_better) {
    setting s;
    begin(&s, _i, NULL);
    const double before = total(&s, s.q);
    // Four sweeps may end early; further runs go on.
    for (int i = 0; i < 200; i++) CK_OK(oq_round_descend(&s.problem, &err), &err);
    const double after = total(&s, s.q);
    ck_assert_msg(after < 0.7 * before, "%g -> %g", before, after);
    for (size_t i = 0; i < ROWS * DEPTH; i++) {
        const double own = error_of(&s.problem, i / DEPTH, s.q);
        for (int step = -1; step <= 1; step += 2) {
            const int32_t was = s.q[i];
            if (was + step < s.problem.grid.qmin || was + step > s.problem.grid.qmax) continue;
            s.q[i] = was + step;
            const double moved = error_of(&s.problem, i / DEPTH, s.q);
            s.q[i] = was;
            ck_assert_msg(moved >= own - 1e-4 * fabs(own), "element %zu: %.9g instead of %.9g", i, moved,
                          own);
        }
        ck_assert_int_ge(s.q[i], s.problem.grid.qmin);
        ck_assert_int_le(s.q[i], s.problem.grid.qmax);
    }
    end(&s);
}
END_TEST

// The largest sum of two of one sign, of elements 0 and 1, 2 and 3, .. of all rows.
static int32_t widest_pair(const int32_t *q) {
    int32_t widest = 0;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k + 1 < DEPTH; k += 2) {
            const int32_t a = q[i * DEPTH + k], b = q[i * DEPTH + k + 1];
            if ((a < 0) == (b < 0) && abs(a + b) > widest) widest = abs(a + b);
        }
    return widest;
}

// All pairs of one sign stand at the bound: free descent leaves it, bound descent gains all the same.
START_TEST(pairs_keep_their_bound) {
    setting s;
    size_t partner[DEPTH][2];
    int32_t bound[ROWS * DEPTH];
    begin(&s, 8, NULL);
    for (size_t k = 0; k < DEPTH; k++) partner[k][0] = k, partner[k][1] = (k ^ 1) < DEPTH ? k ^ 1 : k;
    for (size_t i = 0; i < ROWS * DEPTH; i++) {
        s.w[i] = s.w[i] < 0 ? -0.5F : 0.5F;
        s.q[i] = s.w[i] < 0 ? -64 : 64;
    }
    memcpy(bound, s.q, sizeof bound);
    oq_round_problem problem = s.problem;
    problem.q = bound;
    problem.partner = partner;
    problem.pair_limit = 128;
    const double before = total(&s, s.q);
    CK_OK(oq_round_descend(&problem, &err), &err);
    CK_OK(oq_round_descend(&s.problem, &err), &err);
    ck_assert_int_gt(widest_pair(s.q), 128);
    ck_assert_int_le(widest_pair(bound), 128);
    ck_assert_msg(total(&s, bound) < 0.7 * before, "%g -> %g", before, total(&s, bound));
    end(&s);
}
END_TEST

// Of a stretch of a row, an element whose partner is in another one stays.
START_TEST(partners_elsewhere_stay) {
    setting s;
    int32_t was[ROWS * DEPTH];
    size_t partner[DEPTH + 3][2];
    begin(&s, 4, NULL);
    memcpy(was, s.q, sizeof was);
    for (size_t k = 0; k < DEPTH + 3; k++) partner[k][0] = partner[k][1] = k;
    partner[3][0] = 2, partner[2][1] = 3; // element 0 here, and the last one before it
    s.problem.partner = partner;
    s.problem.first = 3;
    s.problem.pair_limit = 14;
    CK_OK(oq_round_descend(&s.problem, &err), &err);
    size_t moved = 0;
    for (size_t i = 0; i < ROWS * DEPTH; i++) {
        ck_assert(i % DEPTH != 0 || s.q[i] == was[i]);
        moved += s.q[i] != was[i];
    }
    ck_assert_uint_gt(moved, ROWS);
    end(&s);
}
END_TEST

typedef oq_status (*rounder)(const oq_round_problem *problem, oq_error *err);
static const rounder rounders[] = {oq_round_descend, oq_round_gptq, oq_round_adaptively};
enum { METHODS = sizeof rounders / sizeof *rounders };

// Far below nearest rounding where inputs hang together.
START_TEST(methods_gain_over_nearest) {
    setting s;
    begin(&s, 4, NULL);
    s.problem.share = 0;
    const double before = total(&s, s.q);
    CK_OK(rounders[_i](&s.problem, &err), &err);
    const double after = total(&s, s.q);
    ck_assert_msg(after < 0.8 * before, "%g -> %g", before, after);
    end(&s);
}
END_TEST

// The weight that comes last in GPTQ's order stands where the error is least, given all others.
START_TEST(the_last_weight_is_best_for_the_others) {
    setting s;
    size_t last = 0;
    begin(&s, _i, NULL);
    CK_OK(oq_round_gptq(&s.problem, &err), &err);
    for (size_t k = 0; k < DEPTH; k++)
        if (s.gram.second[k * DEPTH + k] < s.gram.second[last * DEPTH + last]) last = k;
    for (size_t i = 0; i < ROWS; i++) {
        const double own = error_of(&s.problem, i, s.q);
        int32_t *q = &s.q[i * DEPTH + last];
        for (int32_t to = *q - 1, was = *q; to <= was + 1; to++) {
            if (to < s.problem.grid.qmin || to > s.problem.grid.qmax) continue;
            *q = to;
            const double moved = error_of(&s.problem, i, s.q);
            *q = was;
            ck_assert_msg(moved >= own - 1e-4 * fabs(own), "row %zu: %.9g instead of %.9g", i, moved, own);
        }
    }
    end(&s);
}
END_TEST

START_TEST(adaptive_rounding_goes_up_or_down) {
    setting s;
    begin(&s, 3, NULL);
    CK_OK(oq_round_adaptively(&s.problem, &err), &err);
    for (size_t i = 0; i < ROWS * DEPTH; i++) {
        const float steps = s.w[i] / s.params[i / DEPTH].scale;
        ck_assert(fabsf((float)s.q[i] - steps) < 1 + 1e-5F);
    }
    end(&s);
}
END_TEST

// Inputs that have nothing to do with each other and arrive whole: nearest is best.
START_TEST(independent_inputs_are_rounded_to_nearest) {
    setting s;
    int32_t nearest[ROWS * DEPTH];
    begin(&s, 4, NULL);
    memset(s.gram.second, 0, DEPTH * DEPTH * sizeof(float));
    for (size_t k = 0; k < DEPTH; k++) s.gram.second[k * DEPTH + k] = 1 + (float)k;
    s.problem.drift = NULL;
    memcpy(nearest, s.q, sizeof nearest);
    for (size_t i = 0; i < ROWS * DEPTH; i += 3) s.q[i] = 0; // wherever it starts from
    CK_OK(rounders[_i](&s.problem, &err), &err);
    ck_assert_mem_eq(s.q, nearest, sizeof nearest);
    end(&s);
}
END_TEST

START_TEST(the_judge_tells_the_change) {
    setting s;
    int32_t nearest[ROWS * DEPTH];
    double change[ROWS];
    begin(&s, 3, NULL);
    memcpy(nearest, s.q, sizeof nearest);
    s.problem.share = (float)_i / 2;
    CK_OK(oq_round_descend(&s.problem, &err), &err);
    s.problem.ridge = 0;
    s.problem.share = 1;
    CK_OK(oq_round_change(&s.problem, nearest, NULL, change, &err), &err);
    for (size_t i = 0; i < ROWS; i++) {
        const double want = error_of(&s.problem, i, s.q) - error_of(&s.problem, i, nearest);
        ck_assert_msg(fabs(change[i] - want) < 1e-4 * fabs(error_of(&s.problem, i, nearest)), "%g and not %g",
                      change[i], want);
    }
    end(&s);
}
END_TEST

// No scale near by is better for a row's integers, and the judge tells what both changed together.
START_TEST(scales_suit_their_integers) {
    setting s;
    int32_t nearest[ROWS * DEPTH];
    oq_qparam was[ROWS];
    double change[ROWS], before[ROWS];
    begin(&s, _i, NULL);
    memcpy(nearest, s.q, sizeof nearest);
    memcpy(was, s.params, sizeof was);
    s.problem.ridge = 0;
    for (size_t i = 0; i < ROWS; i++) before[i] = error_of(&s.problem, i, nearest);
    CK_OK(oq_round_descend(&s.problem, &err), &err);
    CK_OK(oq_round_fit_scales(&s.problem, s.params, &err), &err);
    CK_OK(oq_round_change(&s.problem, nearest, was, change, &err), &err);
    for (size_t i = 0; i < ROWS; i++) {
        const double least = error_of(&s.problem, i, s.q), scale = (double)s.params[i].scale;
        ck_assert_msg(fabs(change[i] - (least - before[i])) < 1e-4 * fabs(before[i]), "%g and not %g",
                      change[i], least - before[i]);
        for (int side = -1; side < 2; side += 2) {
            s.params[i].scale = (float)(scale * (1 + .01 * side));
            ck_assert_double_gt(error_of(&s.problem, i, s.q), least);
        }
        s.params[i].scale = (float)scale;
        ck_assert(s.params[i].scale != was[i].scale && s.params[i].zero_point == 0);
    }
    end(&s);
}
END_TEST

// What is prepared for several roundings changes no integer and no judgement.
START_TEST(a_basis_changes_no_bit) {
    setting with, without;
    int32_t nearest[ROWS * DEPTH];
    double change[2][ROWS];
    oq_round_basis basis;
    begin(&with, 4, NULL);
    begin(&without, 4, NULL);
    memcpy(nearest, with.q, sizeof nearest);
    with.problem.share = without.problem.share = 0.5F;
    CK_OK(oq_round_basis_make(&with.problem, true, true, &basis, &err), &err);
    with.problem.basis = &basis;
    with.problem.product = basis.product;
    with.problem.drift = NULL;
    CK_OK(rounders[_i](&with.problem, &err), &err);
    CK_OK(rounders[_i](&without.problem, &err), &err);
    ck_assert_mem_eq(with.q, without.q, sizeof with.q);
    with.problem.ridge = without.problem.ridge = 0;
    with.problem.second = NULL;
    CK_OK(oq_round_change(&with.problem, nearest, NULL, change[0], &err), &err);
    CK_OK(oq_round_change(&without.problem, nearest, NULL, change[1], &err), &err);
    ck_assert_mem_eq(change[0], change[1], sizeof change[0]);
    oq_round_basis_release(&mem, &basis);
    oq_gram_release(&with.gram);
    end(&without);
}
END_TEST

// Every third row, with a basis of all rows, is rounded as by itself, and no other row is touched.
START_TEST(rows_between_are_left_alone) {
    setting some, each;
    oq_round_basis basis, own;
    int32_t before[ROWS * DEPTH];
    double change[2][ROWS];
    begin(&some, 4, NULL);
    begin(&each, 4, NULL);
    memcpy(before, some.q, sizeof before);
    CK_OK(oq_round_basis_make(&some.problem, true, true, &basis, &err), &err);
    CK_OK(oq_round_basis_make(&each.problem, true, true, &own, &err), &err);
    oq_round_problem p = some.problem, all = each.problem;
    p.rows = (ROWS + 2) / 3, p.between = 2, p.pitch = 3 * DEPTH, p.param_pitch = 3;
    p.basis = &basis, p.product = basis.product;
    all.basis = &own, all.product = own.product;
    CK_OK(oq_round_descend(&p, &err), &err);
    CK_OK(oq_round_descend(&all, &err), &err);
    CK_OK(oq_round_change(&p, before, NULL, change[0], &err), &err);
    CK_OK(oq_round_change(&all, before, NULL, change[1], &err), &err);
    for (size_t i = 0; i < ROWS; i++) {
        const int32_t *want = i % 3 ? before : each.q;
        ck_assert_mem_eq(some.q + i * DEPTH, want + i * DEPTH, DEPTH * sizeof *want);
        if (i % 3 == 0) ck_assert(change[0][i / 3] == change[1][i]);
    }
    oq_round_basis_release(&mem, &basis);
    oq_round_basis_release(&mem, &own);
    oq_gram_release(&some.gram);
    end(&each);
}
END_TEST

START_TEST(threads_change_no_bit) {
    setting one, many;
    oq_pool *pool;
    begin(&one, 4, NULL);
    CK_OK(rounders[_i](&one.problem, &err), &err);
    oq_gram_release(&one.gram);
    CK_OK(oq_pool_new(&mem, 3, &pool, &err), &err);
    begin(&many, 4, pool);
    CK_OK(rounders[_i](&many.problem, &err), &err);
    ck_assert_mem_eq(one.q, many.q, sizeof one.q);
    oq_gram_release(&many.gram);
    oq_pool_free(pool);
}
END_TEST

// Groups that share a parameter along a row, and rows that are part of longer ones.
START_TEST(groups_have_their_own_scales) {
    setting s;
    oq_qparam params[ROWS * 3];
    begin(&s, 4, NULL);
    for (size_t i = 0; i < ROWS * 3; i++) params[i] = (oq_qparam){.scale = 0.05F + 0.05F * (float)(i % 3)};
    s.problem.params = params;
    s.problem.param_pitch = 3;
    s.problem.group = 8; // of 21: 8, 8, 5
    s.problem.second = s.gram.second;
    s.problem.drift = NULL;
    memset(s.gram.second, 0, DEPTH * DEPTH * sizeof(float));
    for (size_t k = 0; k < DEPTH; k++) s.gram.second[k * DEPTH + k] = 1;
    CK_OK(rounders[_i](&s.problem, &err), &err);
    for (size_t i = 0; i < ROWS * DEPTH; i++) {
        const oq_qparam p = params[i / DEPTH * 3 + i % DEPTH / 8];
        ck_assert_int_eq(s.q[i], oq_quantize_one(&s.problem.grid, p, s.w[i]));
    }
    end(&s);
}
END_TEST

// --- moments ---

typedef struct deep_rows {
    const float *x, *xq; // [count, width]
    size_t width, count;
} deep_rows;

static void fill_deep(const void *self, size_t from, size_t to, float *x, float *xq, size_t pitch) {
    const deep_rows *r = self;
    for (size_t k = from; k < to; k++, x += pitch, xq += pitch)
        for (size_t i = 0; i < r->count; i++) {
            x[i] = r->x[i * r->width + k];
            xq[i] = r->xq[i * r->width + k];
        }
}

typedef struct rows {
    double x[SAMPLES][WIDE], xq[SAMPLES][WIDE], mean[WIDE], mean_q[WIDE];
} rows;

static void collect(rows *r) {
    uint64_t seed = 77;
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < SAMPLES; i++) {
        float common = noise(&seed);
        for (size_t k = 0; k < WIDE; k++) {
            common = 0.9F * common + 0.3F * noise(&seed);
            const float x = common + 0.5F;
            r->x[i][k] = (double)x;
            r->xq[i][k] = (double)(x + 0.1F * noise(&seed) + 0.05F);
            r->mean[k] += r->x[i][k] / SAMPLES;
            r->mean_q[k] += r->xq[i][k] / SAMPLES;
        }
    }
}

START_TEST(moments_are_those_of_the_rows) {
    static rows r;
    oq_gram gram;
    collect(&r);
    CK_OK(oq_gram_begin(&gram, &mem, NULL, 2, DEPTH, _i, &err), &err);
    add_rows(&gram, SAMPLES, 7, 77); // blocks that do not end with the rows
    CK_OK(oq_gram_end(&gram, &err), &err);
    ck_assert(gram.rows == SAMPLES);
    for (size_t g = 0; g < 2; g++)
        for (size_t i = 0; i < DEPTH; i++)
            for (size_t j = 0; j < DEPTH; j++) {
                const size_t a = g * DEPTH + i, b = g * DEPTH + j, at = a * DEPTH + j;
                double second = 0, drift = 0;
                const double ma = _i ? r.mean_q[a] : 0, mb = _i ? r.mean_q[b] : 0,
                             md = _i ? r.mean[a] - r.mean_q[a] : 0;
                for (size_t s = 0; s < SAMPLES; s++) {
                    second += (r.xq[s][a] - ma) * (r.xq[s][b] - mb) / SAMPLES;
                    drift += (r.x[s][a] - r.xq[s][a] - md) * (r.xq[s][b] - mb) / SAMPLES;
                }
                ck_assert_msg(fabs((double)gram.second[at] - second) < 1e-6, "second %zu %zu: %g, not %g", a,
                              b, (double)gram.second[at], second);
                ck_assert_msg(fabs((double)gram.drift[at] - drift) < 1e-6, "drift %zu %zu: %g, not %g", a, b,
                              (double)gram.drift[at], drift);
            }
    oq_gram_release(&gram);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// More inputs than a thread fills in or multiplies at once, and more rows than a block: of every element of
// both matrices, for one group and for several.
START_TEST(wide_moments_are_those_of_the_rows) {
    enum { DEEP = 250, COUNT = 300 };
    static float x[COUNT][DEEP], xq[COUNT][DEEP];
    uint64_t seed = 9;
    oq_pool *pool;
    oq_gram gram;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < DEEP; k++) {
            x[i][k] = noise(&seed);
            xq[i][k] = x[i][k] + 0.1F * noise(&seed);
        }
    CK_OK(oq_pool_new(&mem, 3, &pool, &err), &err);
    const size_t groups = (size_t)_i, depth = DEEP / groups;
    CK_OK(oq_gram_begin(&gram, &mem, pool, groups, depth, false, &err), &err);
    for (size_t first = 0; first < COUNT; first += OQ_GRAM_ROOM) {
        const deep_rows part = {&x[first][0], &xq[first][0], DEEP,
                                COUNT - first < OQ_GRAM_ROOM ? COUNT - first : OQ_GRAM_ROOM};
        CK_OK(oq_gram_add(&gram, part.count, &(oq_gram_source){.self = &part, .fill = fill_deep}, &err),
              &err);
    }
    CK_OK(oq_gram_end(&gram, &err), &err);
    for (size_t i = 0; i < groups * depth; i++)
        for (size_t j = i / depth * depth; j < (i / depth + 1) * depth; j++) {
            const size_t at = i * depth + j % depth;
            double second = 0, drift = 0;
            for (size_t r = 0; r < COUNT; r++) {
                second += (double)xq[r][i] * (double)xq[r][j] / COUNT;
                drift += ((double)x[r][i] - (double)xq[r][i]) * (double)xq[r][j] / COUNT;
            }
            ck_assert_msg(fabs((double)gram.second[at] - second) < 1e-6, "second %zu %zu", i, j);
            ck_assert_msg(fabs((double)gram.drift[at] - drift) < 1e-6, "drift %zu %zu", i, j);
        }
    oq_gram_release(&gram);
    oq_pool_free(pool);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(a_gram_that_finds_no_memory_is_released) {
    oq_gram gram;
    mem.fail_after = _i;
    const oq_status status = oq_gram_begin(&gram, &mem, NULL, 3, 5, true, &err);
    mem.fail_after = 0;
    ck_assert_int_eq(status, ONNXQ_NO_MEMORY);
    oq_gram_release(&gram);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune/round");
    TCase *laws = tcase_create("laws");
    tcase_add_loop_test(laws, no_single_integer_is_better, 2, 9);
    tcase_add_test(laws, pairs_keep_their_bound);
    tcase_add_test(laws, partners_elsewhere_stay);
    tcase_add_loop_test(laws, methods_gain_over_nearest, 0, METHODS);
    tcase_add_loop_test(laws, the_last_weight_is_best_for_the_others, 2, 9);
    tcase_add_test(laws, adaptive_rounding_goes_up_or_down);
    tcase_add_loop_test(laws, independent_inputs_are_rounded_to_nearest, 0, METHODS);
    tcase_add_loop_test(laws, the_judge_tells_the_change, 0, 3);
    tcase_add_loop_test(laws, scales_suit_their_integers, 3, 7);
    tcase_add_loop_test(laws, a_basis_changes_no_bit, 0, 3);
    tcase_add_test(laws, rows_between_are_left_alone);
    tcase_add_loop_test(laws, threads_change_no_bit, 0, METHODS);
    tcase_add_loop_test(laws, groups_have_their_own_scales, 0, METHODS);
    tcase_add_loop_test(laws, moments_are_those_of_the_rows, 0, 2);
    tcase_add_loop_test(laws, wide_moments_are_those_of_the_rows, 1, 3);
    tcase_add_loop_test(laws, a_gram_that_finds_no_memory_is_released, 1, 8);
    suite_add_tcase(suite, laws);
    return test_main(suite);
}
