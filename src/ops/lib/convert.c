// Conversion of elements between any two dtypes, as Cast does it.
#include "ops/lib/convert.h"

#include "ops/lib/convert_text.h"

#include <string.h>

oq_status oq_convert_options_of(const oq_node *node, oq_convert_options *out, oq_error *err) {
    const char *mode = oq_node_string(node, "round_mode", "up");
    *out = (oq_convert_options){.saturate = oq_node_int(node, "saturate", 1) != 0};
    if (strcmp(mode, "up") == 0)
        out->rounding = OQ_E8M0_UP;
    else if (strcmp(mode, "down") == 0)
        out->rounding = OQ_E8M0_DOWN;
    else if (strcmp(mode, "nearest") == 0)
        out->rounding = OQ_E8M0_NEAREST;
    else
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s: attribute round_mode is '%s', not up, down or nearest",
                       node->op_type, mode);
    return ONNXQ_OK;
}

static bool is_small_float(oq_dtype dtype) {
    const oq_dtype_traits *info = oq_dtype_info(dtype);
    return info->is_float && info->bits <= 8;
}

static void to_small_floats(oq_dtype to, const float *x, uint8_t *y, size_t n,
                            const oq_convert_options *options) {
    const bool saturate = options->saturate || oq_dtype_info(to)->bits < 8;
    if (to == ONNXQ_FLOAT8E8M0)
        for (size_t i = 0; i < n; i++) y[i] = oq_e8m0_from_float(x[i], options->saturate, options->rounding);
    else
        for (size_t i = 0; i < n; i++) y[i] = oq_small_float_from_float(to, x[i], saturate);
}

// The numbers of `block` (of working type `work`) as doubles, in place.
static void widen(oq_work_type work, oq_block *block, size_t n) {
    for (size_t i = n; i-- > 0;) // from the end: a float is shorter than the double that takes its place
        block->f64[i] = work == OQ_WORK_F32   ? (double)block->f32[i]
                        : work == OQ_WORK_I64 ? (double)block->i64[i]
                        : work == OQ_WORK_U64 ? (double)block->u64[i]
                                              : block->f64[i];
}

static void to_floats(oq_work_type work, oq_block *block, oq_dtype to, void *y, size_t n,
                      const oq_convert_options *options) {
    if (work == OQ_WORK_F32 && is_small_float(to)) {
        to_small_floats(to, block->f32, y, n, options);
    } else if (work == OQ_WORK_F32 && oq_work_of(to) == OQ_WORK_F32) {
        oq_store_f32(to, block->f32, y, n);
    } else if (work == OQ_WORK_I64 && to == ONNXQ_FLOAT) {
        for (size_t i = 0; i < n; i++) ((float *)y)[i] = (float)block->i64[i];
    } else if (work == OQ_WORK_U64 && to == ONNXQ_FLOAT) {
        for (size_t i = 0; i < n; i++) ((float *)y)[i] = (float)block->u64[i];
    } else {
        widen(work, block, n);
        if (!is_small_float(to) || (to != ONNXQ_FLOAT8E8M0 && options->saturate)) {
            oq_store_f64(to, block->f64, y, n);
        } else {
            float narrow[OQ_BLOCK];
            for (size_t i = 0; i < n; i++) narrow[i] = (float)block->f64[i];
            to_small_floats(to, narrow, y, n, options);
        }
    }
}

static void to_integers(oq_work_type work, oq_block *block, oq_dtype to, void *y, size_t n) {
    if (work == OQ_WORK_F32 || work == OQ_WORK_F64) {
        widen(work, block, n);
        for (size_t i = 0; i < n; i++) {
            const double x = block->f64[i];
            if (to == ONNXQ_UINT64 && x > 0)
                block->u64[i] = oq_to_u64(x);
            else
                block->i64[i] = oq_to_i64(x);
        }
    }
    // Signed and unsigned 64-bit integers have the same low bits, which are all that a store looks at.
    if (oq_work_of(to) == OQ_WORK_U64)
        oq_store_u64(to, block->u64, y, n);
    else
        oq_store_i64(to, block->i64, y, n);
}

static void to_bools(oq_work_type work, const oq_block *block, uint8_t *y, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] = work == OQ_WORK_F32   ? block->f32[i] != 0
               : work == OQ_WORK_F64 ? block->f64[i] != 0
                                     : block->u64[i] != 0;
}

void oq_convert_block(oq_dtype from, const void *x, oq_dtype to, void *y, size_t n,
                      const oq_convert_options *options) {
    const oq_work_type work = oq_work_of(from);
    oq_block block;
    if (to == ONNXQ_FLOAT && oq_dtype_info(from)->bits <= 16) { // each of these is a float exactly
        oq_load_f32(from, x, y, n);
        return;
    }
    for (size_t at = 0; at < n; at += OQ_BLOCK) {
        const size_t count = oq_min_size(OQ_BLOCK, n - at);
        void *const into = oq_at_mutable(y, at, oq_dtype_bytes(to));
        oq_work_load(from, oq_at(x, at, oq_dtype_bytes(from)), &block, count);
        if (to == ONNXQ_BOOL)
            to_bools(work, &block, into, count);
        else if (oq_dtype_info(to)->is_float)
            to_floats(work, &block, to, into, count, options);
        else
            to_integers(work, &block, to, into, count);
    }
}

typedef struct convert_job {
    oq_dtype from, to;
    const void *x;
    void *y;
    const oq_convert_options *options;
} convert_job;

static void run_range(void *self, size_t from, size_t to) {
    const convert_job *job = self;
    oq_convert_block(job->from, oq_at(job->x, from, oq_dtype_bytes(job->from)), job->to,
                     oq_at_mutable(job->y, from, oq_dtype_bytes(job->to)), to - from, job->options);
}

oq_status oq_convert_run(oq_run_context *context, oq_dtype dtype, const oq_convert_options *options,
                         oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    OQ_TRY(oq_need(context, 0, &x, err));
    if (x->dtype == dtype) return oq_out_view(context, 0, x, &x->shape, err);
    if (x->dtype == ONNXQ_STRING) return oq_convert_from_strings(context, x, dtype, options, err);
    if (oq_work_of(x->dtype) == OQ_WORK_NONE) return oq_no_loop(context, x->dtype, err);
    if (dtype == ONNXQ_STRING) return oq_convert_to_strings(context, x, err);
    if (oq_work_of(dtype) == OQ_WORK_NONE) return oq_no_loop(context, dtype, err);
    convert_job job = {.from = x->dtype, .to = dtype, .x = x->data, .options = options};
    const size_t count = (size_t)oq_tensor_count(x);
    OQ_TRY(oq_out(context, 0, dtype, &x->shape, &y, err));
    job.y = y->data;
    return oq_ranges(context->pool, count, OQ_GRAIN, run_range, &job, err);
}
