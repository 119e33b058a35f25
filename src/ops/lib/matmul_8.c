// 8-bit matrix products.
#include "ops/lib/matmul_8.h"

#include "kernels/rows.h"

#define TILE_SUMS 16384 // int32 sums of one row tile of a requantized product: 64 KiB

oq_status oq_matmul_8_prepare(oq_run_context *context, size_t b, void **state, oq_error *err) {
    const oq_tensor *tensor = oq_in(context, b);
    if (!tensor || !tensor->shape.rank || oq_dtype_info(tensor->dtype)->is_float) return ONNXQ_OK;
    if (context->saturate_pairs) return ONNXQ_OK;
    const oq_shape *shape = &tensor->shape;
    const size_t n = shape->rank == 1 ? 1 : (size_t)shape->dim[shape->rank - 1];
    const size_t k = (size_t)shape->dim[shape->rank == 1 ? 0 : shape->rank - 2];
    const size_t count = shape->rank > 2 ? (size_t)oq_shape_range_count(shape, 0, shape->rank - 2) : 1;
    oq_packed *packed = NULL;
    OQ_TRY(oq_factor_pack_8(context, tensor, count, k, n, false, &packed, err));
    *state = packed;
    return ONNXQ_OK;
}

oq_status oq_matmul_8_begin(oq_run_context *context, size_t a, size_t b, oq_matmul_8 *m, oq_error *err) {
    *m = (oq_matmul_8){.a = oq_in(context, a), .b = oq_in(context, b)};
    return oq_matmul_plan(&m->a->shape, &m->b->shape, &m->plan, err);
}

// Parameters of one product: the whole vector's own part.
static oq_status part_of(const oq_qparams *all, size_t index, size_t matrices, size_t each, const char *what,
                         oq_qparams *out, oq_error *err) {
    *out = *all;
    if (all->count == 1) return ONNXQ_OK;
    const bool one_for_all = all->count == each;
    if (!one_for_all && (!each || all->count / each != matrices || all->count % each != 0)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "%zu scales or zero points %s, which has %zu times %zu",
                       all->count, what, matrices, each);
    }
    const size_t first = one_for_all ? 0 : index * each;
    out->count = each;
    out->scale = all->scale ? all->scale + first : NULL;
    out->zero = all->zero + first;
    return ONNXQ_OK;
}

// One product in the making: the kernel's description, the parameters of its rows and columns, and workspace.
typedef struct tiles {
    oq_gemm_8 gemm;
    oq_qparams a, b;
    float *multiplier;   // [n]; with to_float: one row of the result
    int32_t *sums;       // of one row tile
    uint8_t *out;        // [m, n]
    const int8_t *pairs; // [k, n] b, when sums of pairs saturate, or NULL
} tiles;

// Adds to sums what the saturation of pairs does to them.
static void saturate(const tiles *t, const oq_gemm_8 *gemm) {
    for (size_t i = 0; i < gemm->m; i++) {
        const uint8_t *a = (const uint8_t *)gemm->a + i * gemm->lda;
        for (size_t k = 0; k + 1 < gemm->k; k += 2) {
            const int8_t *b = t->pairs + k * gemm->n;
            for (size_t j = 0; j < gemm->n; j++)
                gemm->c[i * gemm->ldc + j] += oq_pair_excess(a[k] * b[j] + a[k + 1] * b[gemm->n + j]);
        }
    }
}

static void run_saturating(const tiles *t, oq_gemm_8 gemm) {
    const oq_requantize *r = gemm.requantize;
    gemm.requantize = NULL;
    oq_gemm_8_run(&gemm);
    saturate(t, &gemm);
    for (size_t i = 0; r && i < gemm.m; i++)
        oq_rows_requantize_8(gemm.c + i * gemm.ldc, r->multiplier, r->per_channel, r->zero_point,
                             r->is_signed, (uint8_t *)r->out + i * gemm.ldc, gemm.n);
}

static void run_gemm(const tiles *t, const oq_gemm_8 *gemm) {
    if (t->pairs)
        run_saturating(t, *gemm);
    else
        oq_gemm_8_run(gemm);
}

// Rows [from, from + rows) to the 8-bit output, all with one multiplier or one per column.
static void run_tile(const oq_matmul_8 *m, const tiles *t, size_t from, size_t rows) {
    const oq_requantize requantize = {.multiplier = t->multiplier,
                                      .per_channel = t->b.count > 1,
                                      .is_signed = m->out_signed,
                                      .zero_point = m->y_zero,
                                      .out = t->out + from * m->plan.n};
    oq_gemm_8 gemm = t->gemm;
    gemm.a = (const uint8_t *)gemm.a + from * m->plan.k;
    gemm.m = rows;
    gemm.a_zero = t->a.zero + (t->a.count == 1 ? 0 : from);
    gemm.c = t->sums;
    gemm.requantize = &requantize;
    run_gemm(t, &gemm);
}

// A tile holds as many rows as fit, or one when rows have their own scales.
static void run_tiles(const oq_matmul_8 *m, const tiles *t) {
    const size_t fit = TILE_SUMS / m->plan.n;
    const size_t step = t->a.count > 1 || !fit ? 1 : fit;
    for (size_t from = 0; from < m->plan.m; from += step) {
        if (from == 0 || t->a.count > 1) {
            for (size_t j = 0; j < t->b.count; j++) {
                t->multiplier[j] = oq_qparams_scale(&t->a, from) * oq_qparams_scale(&t->b, j) / m->y_scale;
            }
        }
        run_tile(m, t, from, oq_min_size(step, m->plan.m - from));
    }
}

static oq_status workspace(oq_run_context *context, const oq_matmul_8 *m, void **space, tiles *t,
                           oq_error *err) {
    const oq_matmul *plan = &m->plan;
    void *sums = NULL;
    void *multiplier = NULL;
    if (!context->state) {
        OQ_TRY(oq_scratch_array(context, 1, oq_gemm_8_packed_bytes(plan->k, plan->n), space, err));
    }
    OQ_TRY(oq_scratch_array(context, plan->n, sizeof(float), &multiplier, err));
    t->multiplier = multiplier;
    if (m->sums) return ONNXQ_OK;
    const size_t tile = plan->n > TILE_SUMS ? plan->n : TILE_SUMS;
    OQ_TRY(oq_scratch_array(context, tile, sizeof(int32_t), &sums, err));
    t->sums = sums;
    return ONNXQ_OK;
}

// The sums of product `i` as floats.
static void scale_sums(const oq_matmul_8 *m, const tiles *t, size_t i, const float *bias) {
    const size_t n = m->plan.n;
    const size_t bytes = oq_dtype_bytes(m->to_float->dtype);
    for (size_t row = 0; row < m->plan.m; row++) {
        const size_t first = (i * m->plan.m + row) * n;
        const float scale = oq_qparams_scale(&t->a, row);
        for (size_t j = 0; j < n; j++) {
            const float y = (float)m->sums[first + j] * (scale * oq_qparams_scale(&t->b, j));
            t->multiplier[j] = bias ? y + bias[j] : y;
        }
        oq_store_f32(m->to_float->dtype, t->multiplier, oq_at_mutable(m->to_float->data, first, bytes), n);
    }
}

// Product `i`: its factors and parameters, then the kernel.
static oq_status run_batch(oq_run_context *context, const oq_matmul_8 *m, size_t i, void *space,
                           const float *bias, tiles *t, oq_error *err) {
    const oq_matmul *plan = &m->plan;
    const bool b_signed = m->b->dtype == ONNXQ_INT8;
    size_t ai = 0;
    size_t bi = 0;
    oq_matmul_batch(plan, i, &ai, &bi);
    OQ_TRY(part_of(&m->a_params, ai, plan->a_count, plan->m, "for the rows of A", &t->a, err));
    OQ_TRY(part_of(&m->b_params, bi, plan->b_count, plan->n, "for the columns of B", &t->b, err));
    if (!context->state) {
        oq_gemm_8_pack((const uint8_t *)m->b->data + bi * plan->k * plan->n, b_signed, plan->n, false,
                       plan->k, plan->n, space);
    }
    t->gemm = (oq_gemm_8){.m = plan->m,
                          .n = plan->n,
                          .k = plan->k,
                          .a = (const uint8_t *)m->a->data + ai * plan->m * plan->k,
                          .lda = plan->k,
                          .a_signed = m->a->dtype == ONNXQ_INT8,
                          .b_signed = b_signed,
                          .a_zero = t->a.zero,
                          .a_zero_per_row = t->a.count > 1,
                          .b = context->state ? oq_packed_at(context->state, bi) : space,
                          .b_zero = t->b.zero,
                          .b_zero_per_column = t->b.count > 1,
                          .ldc = plan->n,
                          .pool = context->pool};
    t->pairs = context->saturate_pairs && b_signed && !t->gemm.a_signed
                   ? (const int8_t *)m->b->data + bi * plan->k * plan->n
                   : NULL;
    if (m->sums) {
        t->gemm.c = m->sums + i * plan->m * plan->n;
        run_gemm(t, &t->gemm);
        if (m->to_float) scale_sums(m, t, i, bias);
    } else {
        t->out = (uint8_t *)m->out + i * plan->m * plan->n;
        run_tiles(m, t);
    }
    return ONNXQ_OK;
}

oq_status oq_matmul_8_run(oq_run_context *context, const oq_matmul_8 *m, oq_error *err) {
    void *space = NULL;
    const void *bias = NULL;
    tiles t = {0};
    if (!m->plan.m || !m->plan.n) return ONNXQ_OK;
    OQ_TRY(workspace(context, m, &space, &t, err));
    if (m->bias) OQ_TRY(oq_array_in(context, m->bias, OQ_WORK_F32, &bias, err));
    for (size_t i = 0; i < m->plan.batches; i++) OQ_TRY(run_batch(context, m, i, space, bias, &t, err));
    return ONNXQ_OK;
}

oq_status oq_matmul_8_run_float(oq_run_context *context, oq_matmul_8 *m, size_t bias, oq_dtype dtype,
                                oq_error *err) {
    void *sums = NULL;
    m->bias = oq_in(context, bias);
    if (m->bias && oq_tensor_count(m->bias) != (int64_t)m->plan.n)
        return oq_fail(err, ONNXQ_BAD_MODEL, "the bias has %lld values for %zu columns",
                       (long long)oq_tensor_count(m->bias), m->plan.n);
    OQ_TRY(oq_out(context, 0, dtype, &m->plan.out, &m->to_float, err));
    OQ_TRY(oq_scratch_array(context, (size_t)oq_shape_count(&m->plan.out), sizeof(int32_t), &sums, err));
    m->sums = sums;
    return oq_matmul_8_run(context, m, err);
}
