// MatMulNBits: A times weights of 2, 4 or 8 bits that share a scale, and a zero point, in blocks along K.
#include "ops/lib/factor.h"
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"

enum { A, B, SCALES, ZEROS, GROUPS, BIAS };

// B [n, blocks, block * bits / 8 bytes], lowest bits first; one scale a column and block.
typedef struct weights {
    size_t k, n, block, blocks;
    unsigned bits;
    const uint8_t *b;
    const float *scales;   // [n, blocks]
    const float *zeros;    // [n, blocks], or NULL:
    const uint8_t *packed; // [n, whole bytes of `blocks` fields], or NULL: the middle of the range
    const int32_t *groups; // [k] block of each position, or NULL: in order
} weights;

// Field `i` of a row of packed ones.
static unsigned field(const uint8_t *row, size_t i, unsigned bits) {
    const size_t each = 8 / bits;
    return (unsigned)row[i / each] >> (i % each * bits) & ((1U << bits) - 1);
}

static void dequantize_row(const weights *w, size_t j, float *out) {
    const uint8_t *row = w->b + j * w->blocks * (w->block * w->bits / 8);
    const size_t zero_bytes = (w->blocks * w->bits + 7) / 8;
    for (size_t i = 0; i < w->k; i++) {
        const size_t block = w->groups ? (size_t)w->groups[i] : i / w->block;
        const size_t at = j * w->blocks + block;
        float zero = (float)(1U << (w->bits - 1));
        if (w->packed) zero = (float)field(w->packed + j * zero_bytes, block, w->bits);
        if (w->zeros) zero = w->zeros[at];
        out[i] = ((float)field(row, i, w->bits) - zero) * w->scales[at];
    }
}

static oq_status read_attributes(const oq_node *node, weights *w, oq_error *err) {
    const int64_t k = oq_node_int(node, "K", 0);
    const int64_t n = oq_node_int(node, "N", 0);
    const int64_t block = oq_node_int(node, "block_size", 0);
    const int64_t bits = oq_node_int(node, "bits", 4);
    if (bits != 2 && bits != 4 && bits != 8)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "MatMulNBits of %lld bits: only 2, 4 and 8 are known",
                       (long long)bits);
    if (k < 1 || n < 1 || block < 1 || k > INT32_MAX || n > INT32_MAX || block > INT32_MAX ||
        block * bits % 8)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "MatMulNBits: K %lld, N %lld and block_size %lld must be positive, blocks whole bytes",
                       (long long)k, (long long)n, (long long)block);
    if (oq_node_int(node, "weight_prepacked", 0))
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "MatMulNBits with weights packed for one machine is not supported: use the model as "
                       "it was before");
    *w = (weights){.k = (size_t)k, .n = (size_t)n, .block = (size_t)block, .bits = (unsigned)bits};
    w->blocks = (w->k + w->block - 1) / w->block;
    return ONNXQ_OK;
}

static oq_status check_count(const oq_run_context *context, size_t input, size_t count, const char *what,
                             oq_error *err) {
    const oq_tensor *x = oq_in(context, input);
    if (!x || (size_t)oq_tensor_count(x) >= count) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "MatMulNBits: %s has %lld values where %zu are needed", what,
                   (long long)oq_tensor_count(x), count);
}

static oq_status take_groups(oq_run_context *context, weights *w, oq_error *err) {
    const oq_tensor *groups = oq_in(context, GROUPS);
    if (!groups) return ONNXQ_OK;
    w->groups = groups->data;
    for (size_t i = 0; i < w->k; i++) {
        if (w->groups[i] < 0 || (size_t)w->groups[i] >= w->blocks)
            return oq_fail(err, ONNXQ_BAD_MODEL, "MatMulNBits: g_idx %d is none of the %zu blocks",
                           (int)w->groups[i], w->blocks);
    }
    return ONNXQ_OK;
}

// Reads and checks everything but A and the bias.
static oq_status read_weights(oq_run_context *context, weights *w, oq_error *err) {
    const oq_tensor *zeros = oq_in(context, ZEROS);
    const void *values = NULL;
    OQ_TRY(read_attributes(context->node, w, err));
    const size_t fields = w->n * w->blocks;
    const bool packed = zeros && zeros->dtype == ONNXQ_UINT8;
    OQ_TRY(check_count(context, B, fields * (w->block * w->bits / 8), "B", err));
    OQ_TRY(check_count(context, SCALES, fields, "scales", err));
    OQ_TRY(check_count(context, ZEROS, packed ? w->n * ((w->blocks * w->bits + 7) / 8) : fields,
                       "zero_points", err));
    OQ_TRY(check_count(context, GROUPS, w->k, "g_idx", err));
    OQ_TRY(take_groups(context, w, err));
    w->b = oq_in(context, B)->data;
    OQ_TRY(oq_array_in(context, oq_in(context, SCALES), OQ_WORK_F32, &values, err));
    w->scales = values;
    if (packed) w->packed = zeros->data;
    if (!zeros || packed) return ONNXQ_OK;
    OQ_TRY(oq_array_in(context, zeros, OQ_WORK_F32, &values, err));
    w->zeros = values;
    return ONNXQ_OK;
}

// The weights as float32 [n, k], packed into `panels`.
static oq_status pack(oq_run_context *context, const weights *w, void *panels, oq_error *err) {
    void *rows = NULL;
    OQ_TRY(oq_scratch_array(context, w->n * w->k, sizeof(float), &rows, err));
    for (size_t j = 0; j < w->n; j++) dequantize_row(w, j, (float *)rows + j * w->k);
    oq_gemm_f32_pack(rows, w->k, true, w->k, w->n, panels);
    return ONNXQ_OK;
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    weights w;
    oq_packed *packed = NULL;
    for (size_t i = B; i <= GROUPS && i < context->input_count; i++)
        if (context->node->inputs[i] != OQ_NONE && !oq_in(context, i)) return ONNXQ_OK;
    OQ_TRY(read_weights(context, &w, err));
    OQ_TRY(oq_packed_new(context, 1, oq_gemm_f32_packed_bytes(w.k, w.n), &packed, err));
    *state = packed;
    return pack(context, &w, packed->panels, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *a = oq_infer_in(context, A);
    (void)err;
    if (!a || a->rank < 1) return ONNXQ_OK;
    oq_type out = *a;
    out.dim[a->rank - 1] = oq_dim_of(oq_node_int(context->node, "N", 0));
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *a = oq_in(context, A);
    const oq_packed *packed = context->state;
    const void *bias = NULL;
    const void *left = NULL;
    void *space = NULL;
    weights w;
    oq_array_target y;
    OQ_TRY(read_attributes(context->node, &w, err));
    if (a->shape.rank < 1 || (size_t)a->shape.dim[a->shape.rank - 1] != w.k)
        return oq_fail(err, ONNXQ_BAD_MODEL, "MatMulNBits: the last axis of A is not K = %zu", w.k);
    OQ_TRY(check_count(context, BIAS, w.n, "bias", err));
    if (!packed) {
        OQ_TRY(read_weights(context, &w, err));
        OQ_TRY(oq_scratch_array(context, 1, oq_gemm_f32_packed_bytes(w.k, w.n), &space, err));
        OQ_TRY(pack(context, &w, space, err));
    }
    oq_shape shape = a->shape;
    shape.dim[shape.rank - 1] = (int64_t)w.n;
    OQ_TRY(oq_array_in(context, a, OQ_WORK_F32, &left, err));
    if (oq_in(context, BIAS)) OQ_TRY(oq_array_in(context, oq_in(context, BIAS), OQ_WORK_F32, &bias, err));
    OQ_TRY(oq_array_out(context, 0, a->dtype, &shape, OQ_WORK_F32, &y, err));
    const oq_gemm_f32 gemm = {.m = (size_t)oq_tensor_count(a) / w.k,
                              .n = w.n,
                              .k = w.k,
                              .a = left,
                              .a_row = w.k,
                              .a_column = 1,
                              .b = packed ? packed->panels : space,
                              .c = y.data,
                              .ldc = w.n,
                              .bias = bias,
                              .pool = context->pool};
    oq_gemm_f32_run(&gemm);
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *a = oq_macs_input(graph, node, A);
    const int64_t n = oq_node_int(node, "N", 0);
    return a && n > 0 ? oq_macs_times(oq_macs_elements(a, 0), (uint64_t)n) : 0;
}

#define FLOATS (OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16))
static const oq_type_set types[] = {
    {"T1", FLOATS}, {"T2", OQ_T(UINT8)}, {"T3", FLOATS | OQ_T(UINT8)}, {"T4", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs[] = {{"K", OQ_ATTR_INT, true},
                                     {"N", OQ_ATTR_INT, true},
                                     {"accuracy_level", OQ_ATTR_INT, false},
                                     {"bits", OQ_ATTR_INT, false},
                                     {"block_size", OQ_ATTR_INT, true},
                                     {"weight_prepacked", OQ_ATTR_INT, false},
                                     {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "A:T1, B:T2, scales:T1, zero_points?:T3, g_idx?:T4, bias?:T1 -> Y:T1",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << B,
     .macs = macs},
};
OQ_MICROSOFT_OP(MatMulNBits, versions);
