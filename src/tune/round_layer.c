// Data-aware rounding of one layer.
#include "tune/round_layer.h"

#include "tune/moments.h"
#include "tune/round.h"
#include "tune/streams.h"

#include <string.h>

// Longer sums are cut into stretches of equal length, which are taken for independent; shorter ones say
// little.
enum { MOST_DEPTH = 1536, LEAST_DEPTH = 16 };
enum { LARGE = 1 << 16 }; // elements of second moments that take much memory
// How much to trust the data is found out on one row in four, where there are enough of them.
enum { SEARCH_EVERY = 4, SEARCH_LEAST = 64 };
// Scales below 8 bits are fitted to the integers, and these to the scales, so often.
enum { FIT_ROUNDS = 3, NARROW = 7 };

typedef struct trial {
    float ridge, share; // see round.h
} trial;

// From data enough for all that could be fitted to hardly any.
static const trial trials[] = {{.01F, 1},  {.1F, 1},  {1, 1},   {.1F, .5F},
                               {.1F, .2F}, {.01F, 0}, {.1F, 0}, {1, 0}};
enum { FOR_COARSE = 1 }; // the last of them, for wide steps alone

// Where up and down is decided weight by weight, a step further may still be better.
static oq_status round_adaptively(const oq_round_problem *problem, oq_error *err) {
    oq_round_problem further = *problem;
    further.product = NULL; // of other integers
    OQ_TRY(oq_round_adaptively(problem, err));
    return oq_round_descend(&further, err);
}

// From where a greedy order ends, a descent goes further than from the nearest integers.
static oq_status round_greedily(const oq_round_problem *problem, oq_error *err) {
    oq_round_problem further = *problem;
    further.product = NULL; // of other integers
    OQ_TRY(oq_round_gptq(problem, err));
    return oq_round_descend(&further, err);
}

typedef oq_status (*rounder)(const oq_round_problem *problem, oq_error *err);

typedef struct task {
    oq_rounding method;
    rounder round;
    oq_lockstep *l;
    const oq_lockstep_part *part;
    const oq_layer *layer;
    size_t input;                    // of the part: the layer's activation
    size_t groups, stretches, depth; // depth: of one stretch of a row
    bool centred;                    // the bias will make up for means
    oq_weight_rows rows;
    int32_t *nearest;  // [outputs, depth of rows]
    oq_qparam *params; // [outputs, params of a row] as they came
    bool narrow;       // scales are fitted, too
    oq_gram fit, judge;
    oq_round_basis *fit_basis, *judge_basis; // [groups * stretches]
    size_t every; // row of a group, or group where each has few, that is rounded now
    const trial *trial;
    double *change; // [groups * stretches, outputs of one]
} task;

// More than one matrix of moments.
static bool many(const task *t) { return t->groups * t->stretches > 1; }

static oq_status gather(const task *t, oq_gram *gram, bool judging, oq_error *err) {
    const oq_moments moments = {.l = t->l,
                                .part = t->part,
                                .layer = t->layer,
                                .input = t->input,
                                .groups = t->groups * t->stretches,
                                .depth = t->depth,
                                .centred = t->centred,
                                .many = t->rows.coarse};
    return oq_moments_gather(&moments, judging, gram, err);
}

// --- rounding ---

static size_t params_of_row(const task *t) { return (t->rows.depth + t->rows.group - 1) / t->rows.group; }

static size_t rows_of_group(const task *t) { return t->rows.outputs / t->groups; }

static bool few_rows(const task *t) { return rows_of_group(t) < SEARCH_LEAST; }

// Of a convolution with groups: each its own rows. Of a sum too long for one matrix of moments: all rows, a
// stretch of them each. No row where another group stands for this one.
static oq_round_problem problem_of(const task *t, size_t group) {
    const size_t all = rows_of_group(t), first = group / t->stretches * all,
                 along = group % t->stretches * t->depth, from = first * t->rows.depth + along,
                 pitch = params_of_row(t), step = few_rows(t) ? 1 : t->every,
                 rows = few_rows(t) && group / t->stretches % t->every ? 0 : (all + step - 1) / step;
    return (oq_round_problem){.mem = t->l->mem,
                              .pool = many(t) ? NULL : t->l->pool,
                              .rows = rows,
                              .between = step - 1,
                              .depth = t->depth,
                              .pitch = step * t->rows.depth,
                              .w = t->rows.w + from,
                              .q = t->rows.q + from,
                              .grid = t->rows.grid,
                              .params = t->rows.params + first * pitch + along / t->rows.group,
                              .param_pitch = step * pitch,
                              .group = t->rows.group,
                              .partner = t->rows.partner,
                              .first = along,
                              .pair_limit = t->rows.pair_limit};
}

static oq_status prepare_fit(void *self, size_t group, size_t worker, oq_error *err) {
    const task *t = self;
    const size_t from = group * t->depth * t->depth;
    oq_round_problem problem = problem_of(t, group);
    (void)worker;
    problem.second = t->fit.second + from;
    problem.drift = t->fit.drift + from;
    return oq_round_basis_make(&problem, t->method != OQ_ROUNDING_GPTQ,
                               t->method == OQ_ROUNDING_ADAROUND || t->narrow, &t->fit_basis[group], err);
}

static oq_status prepare_judge(void *self, size_t group, size_t worker, oq_error *err) {
    const task *t = self;
    const size_t from = group * t->depth * t->depth;
    oq_round_problem problem = problem_of(t, group);
    (void)worker;
    problem.second = t->judge.second + from;
    problem.drift = t->judge.drift + from;
    return oq_round_basis_make(&problem, false, true, &t->judge_basis[group], err);
}

// Scales and integers in turn: GPTQ once more, or a descent from where the integers are.
static oq_status fit_scales(const task *t, oq_round_problem *problem, oq_error *err) {
    oq_qparam *params = t->rows.params + (problem->params - t->rows.params);
    problem->product = NULL; // of other integers
    const bool greedy = t->method == OQ_ROUNDING_GPTQ;
    for (int i = 0; i < (greedy ? 1 : FIT_ROUNDS); i++) {
        OQ_TRY(oq_round_fit_scales(problem, params, err));
        OQ_TRY(greedy ? oq_round_gptq(problem, err) : oq_round_descend(problem, err));
    }
    return ONNXQ_OK;
}

static oq_status round_group(void *self, size_t group, size_t worker, oq_error *err) {
    const task *t = self;
    oq_round_problem problem = problem_of(t, group);
    (void)worker;
    if (!problem.rows) return ONNXQ_OK;
    problem.second = t->fit.second + group * t->depth * t->depth;
    problem.basis = &t->fit_basis[group];
    problem.product = problem.basis->product;
    problem.ridge = t->trial->ridge;
    problem.share = t->trial->share;
    OQ_TRY(t->round(&problem, err));
    return t->narrow ? fit_scales(t, &problem, err) : ONNXQ_OK;
}

static oq_status judge_group(void *self, size_t group, size_t worker, oq_error *err) {
    const task *t = self;
    oq_round_problem problem = problem_of(t, group);
    (void)worker;
    if (!problem.rows) return ONNXQ_OK;
    problem.basis = &t->judge_basis[group];
    problem.share = 1;
    return oq_round_change(&problem, t->nearest + (problem.q - t->rows.q),
                           t->params + (problem.params - t->rows.params),
                           t->change + group * rows_of_group(t), err);
}

// The pool serves groups, or the rows of the only one.
static oq_status over_groups(task *t, oq_work work, oq_error *err) {
    return many(t) ? oq_pool_run(t->l->pool, t->groups * t->stretches, work, t, err) : work(t, 0, 0, err);
}

static void take_nearest(task *t) {
    memcpy(t->rows.q, t->nearest, t->rows.outputs * t->rows.depth * sizeof *t->nearest);
    memcpy(t->rows.params, t->params, t->rows.outputs * params_of_row(t) * sizeof *t->params);
}

// Rounds anew, by t->trial; *change: of the error on the samples that judge, 0 when there are none.
static oq_status round_all(task *t, double *change, oq_error *err) {
    const size_t count = t->rows.outputs * t->stretches;
    take_nearest(t);
    memset(t->change, 0, count * sizeof *t->change);
    OQ_TRY(over_groups(t, round_group, err));
    if (t->judge.rows > 0) OQ_TRY(over_groups(t, judge_group, err));
    *change = 0;
    for (size_t i = 0; i < count; i++) *change += t->change[i];
    return ONNXQ_OK;
}

// t->trial: the one that does best for some rows; without samples that judge, the one that trusts least.
static oq_status search(task *t, oq_error *err) {
    const size_t count = sizeof trials / sizeof *trials - (t->rows.coarse ? 0 : FOR_COARSE);
    double least = 0;
    const trial *best = trials;
    t->trial = &trials[count - 1];
    if (!(t->judge.rows > 0)) return ONNXQ_OK;
    t->every = t->rows.outputs < SEARCH_LEAST ? 1 : SEARCH_EVERY;
    for (size_t i = 0; i < count; i++) {
        double change;
        t->trial = &trials[i];
        OQ_TRY(round_all(t, &change, err));
        if (!(change < least)) continue;
        least = change;
        best = t->trial;
    }
    t->trial = best;
    t->every = 1;
    return ONNXQ_OK;
}

static oq_status look(task *t, oq_error *err) {
    oq_mem *mem = t->l->mem;
    const size_t matrices = t->groups * t->stretches;
    t->fit_basis = oq_mem_calloc(mem, matrices, sizeof *t->fit_basis, err);
    t->judge_basis = oq_mem_calloc(mem, matrices, sizeof *t->judge_basis, err);
    if (!t->fit_basis || !t->judge_basis) return ONNXQ_NO_MEMORY;
    OQ_TRY(gather(t, &t->fit, false, err));
    OQ_TRY(over_groups(t, prepare_fit, err));
    oq_gram_drop(&t->fit, false);
    if (!oq_moments_samples(t->l, true)) return ONNXQ_OK;
    OQ_TRY(gather(t, &t->judge, true, err));
    OQ_TRY(over_groups(t, prepare_judge, err));
    oq_gram_drop(&t->judge, true);
    return ONNXQ_OK;
}

// What is dearer than a descent from the nearest integers is tried with the one degree of trust that suits
// that best, and stays where it is better. *change: of the best so far.
static oq_status try_also(task *t, rounder round, double *change, oq_error *err) {
    const size_t bytes = t->rows.outputs * t->rows.depth * sizeof *t->rows.q,
                 more = t->rows.outputs * params_of_row(t) * sizeof *t->params;
    double own;
    char *best = oq_mem_alloc(t->l->mem, bytes + more + 1, err);
    if (!best) return ONNXQ_NO_MEMORY;
    memcpy(best, t->rows.q, bytes);
    memcpy(best + bytes, t->rows.params, more);
    t->round = round;
    const oq_status status = round_all(t, &own, err);
    if (status == ONNXQ_OK && t->judge.rows > 0 && !(own < *change)) {
        memcpy(t->rows.q, best, bytes);
        memcpy(t->rows.params, best + bytes, more);
    } else {
        *change = own;
    }
    oq_mem_free(t->l->mem, best);
    return status;
}

static oq_status try_all(task *t, oq_error *err) {
    double change;
    t->round = t->method == OQ_ROUNDING_GPTQ ? oq_round_gptq : oq_round_descend;
    OQ_TRY(look(t, err));
    OQ_TRY(search(t, err));
    OQ_TRY(round_all(t, &change, err));
    if (t->judge.rows > 0 && !(change < 0)) {
        take_nearest(t);
        change = 0;
    }
    if (t->narrow && t->method != OQ_ROUNDING_GPTQ) OQ_TRY(try_also(t, round_greedily, &change, err));
    return t->method == OQ_ROUNDING_ADAROUND ? try_also(t, round_adaptively, &change, err) : ONNXQ_OK;
}

static oq_status open_task(task *t, oq_error *err) {
    oq_lockstep *l = t->l;
    if (t->groups * t->depth * t->depth >= LARGE) oq_mem_trim(); // activations of earlier layers
    OQ_TRY(oq_plan_take_rows(l->plan, t->layer, &t->rows, err));
    if (t->rows.partner) t->method = OQ_ROUNDING_GRAM; // the only one that keeps to sums of pairs
    const size_t bytes = t->rows.outputs * t->rows.depth * sizeof *t->nearest;
    t->nearest = oq_mem_alloc(l->mem, bytes + 1, err);
    t->change = oq_mem_calloc(l->mem, t->rows.outputs * t->stretches + 1, sizeof *t->change, err);
    const size_t params = t->rows.outputs * params_of_row(t) * sizeof *t->params;
    t->params = oq_mem_alloc(l->mem, params + 1, err);
    if (!t->nearest || !t->change || !t->params) return ONNXQ_NO_MEMORY;
    memcpy(t->nearest, t->rows.q, bytes);
    memcpy(t->params, t->rows.params, params);
    t->narrow = t->rows.own_scales && t->rows.grid.bits <= NARROW && t->stretches == 1 && !t->rows.partner;
    return ONNXQ_OK;
}

static void release_bases(const task *t, oq_round_basis *bases) {
    for (size_t i = 0; bases && i < t->groups * t->stretches; i++)
        oq_round_basis_release(t->l->mem, &bases[i]);
    oq_mem_free(t->l->mem, bases);
}

static void close_task(task *t) {
    release_bases(t, t->fit_basis);
    release_bases(t, t->judge_basis);
    oq_gram_release(&t->fit);
    oq_gram_release(&t->judge);
    oq_mem_free(t->l->mem, t->nearest);
    oq_mem_free(t->l->mem, t->params);
    oq_mem_free(t->l->mem, t->change);
    oq_weight_rows_release(&t->rows);
}

// Into so many stretches of equal length, none of which shares a parameter with another one.
static bool can_cut(const oq_layer *layer, size_t depth, size_t stretches) {
    const size_t length = depth / stretches, group = oq_plan_group(layer);
    return depth % stretches == 0 && length <= MOST_DEPTH &&
           (!group || length % group == 0 || stretches == 1);
}

// The layer's activation among what the part reads, and groups; false when it cannot be rounded.
static oq_status find_input(task *t, bool *found, oq_error *err) {
    oq_patches p;
    *found = oq_streams_find(t->l, t->part, &t->input);
    if (!*found) return ONNXQ_OK;
    const oq_value *x = oq_lockstep_at(t->l, 0, OQ_STREAM_FLOAT, t->part->inputs[t->input]);
    OQ_TRY(oq_patches_of(t->l->graph, t->layer, &x->tensor.shape, &p, err));
    t->groups = p.groups;
    t->stretches = 1;
    while (t->stretches < p.depth && !can_cut(t->layer, p.depth, t->stretches)) t->stretches++;
    t->depth = p.depth ? p.depth / t->stretches : 0;
    *found = t->depth >= LEAST_DEPTH || t->stretches == 1;
    return ONNXQ_OK;
}

static oq_status run(task *t, bool *kept, oq_error *err) {
    OQ_TRY(open_task(t, err));
    OQ_TRY(try_all(t, err));
    *kept = memcmp(t->nearest, t->rows.q, t->rows.outputs * t->rows.depth * sizeof *t->nearest) != 0;
    return *kept ? oq_plan_set_rows(t->l->plan, (size_t)t->part->layer, &t->rows, err) : ONNXQ_OK;
}

oq_status oq_round_layer(oq_lockstep *l, const oq_lockstep_part *part, const oq_tuning *tuning,
                         oq_rounding_counts *counts, oq_error *err) {
    task t = {.l = l, .part = part, .layer = oq_plan_layer(l->plan, (size_t)part->layer), .every = 1};
    t.method = tuning->rounding;
    t.centred = tuning->biases && oq_plan_bias_count(l->plan, t.layer) > 0;
    const char *reason;
    bool found, kept = false;
    if (tuning->rounding == OQ_ROUNDING_NEAREST || !oq_plan_has_rows(t.layer, &reason)) return ONNXQ_OK;
    OQ_TRY(find_input(&t, &found, err));
    if (!found) return ONNXQ_OK;
    const oq_status status = run(&t, &kept, err);
    close_task(&t);
    if (status == ONNXQ_OK) counts->kept += kept, counts->tried++;
    return status;
}
