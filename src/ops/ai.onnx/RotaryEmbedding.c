// RotaryEmbedding: pairs of features rotated by the angle of their position.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

typedef struct rotary {
    size_t batches, positions, heads, size; // of the input, whatever its layout
    size_t rotated;                         // leading features of a head that are rotated
    bool interleaved;
    const float *cos, *sin; // rows of rotated / 2
    const int64_t *ids;     // row of [batch, position], or NULL: that many rows in order
    int64_t rows;
} rotary;

// One head of one position.
static void rotate(const rotary *r, const float *cos, const float *sin, const float *x, float *y) {
    const size_t half = r->rotated / 2;
    for (size_t i = 0; i < half; i++) {
        const size_t first = r->interleaved ? 2 * i : i;
        const size_t second = r->interleaved ? 2 * i + 1 : i + half;
        const float a = x[first];
        const float b = x[second];
        y[first] = cos[i] * a - sin[i] * b;
        y[second] = sin[i] * a + cos[i] * b;
    }
    for (size_t i = r->rotated; i < r->size; i++) y[i] = x[i];
}

// x as [batch, position, head, size] or, when it has four axes, [batch, head, position, size].
static oq_status read_shape(const oq_node *node, const oq_shape *x, rotary *r, oq_error *err) {
    const int64_t heads = x->rank == 4 ? x->dim[1] : oq_node_int(node, "num_heads", 0);
    if ((x->rank != 3 && x->rank != 4) || heads < 1 || (x->rank == 3 && x->dim[2] % heads != 0)) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "RotaryEmbedding needs an input of rank 4, or of rank 3 with num_heads dividing its last axis");
    }
    r->batches = (size_t)x->dim[0];
    r->positions = (size_t)x->dim[x->rank == 4 ? 2 : 1];
    r->heads = (size_t)heads;
    r->size = x->rank == 4 ? (size_t)x->dim[3] : (size_t)(x->dim[2] / heads);
    const int64_t asked = oq_node_int(node, "rotary_embedding_dim", 0);
    r->rotated = asked ? (size_t)asked : r->size;
    r->interleaved = oq_node_int(node, "interleaved", 0) != 0;
    if (asked < 0 || r->rotated > r->size || r->rotated % 2 != 0) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "cannot rotate %lld of %zu features in pairs",
                       (long long)r->rotated, r->size);
    }
    return ONNXQ_OK;
}

static oq_status read_caches(oq_run_context *context, rotary *r, oq_error *err) {
    const oq_tensor *cos = oq_in(context, 1);
    const oq_tensor *sin = oq_in(context, 2);
    const oq_tensor *ids = oq_in(context, 3);
    const int64_t places = (int64_t)(r->batches * r->positions);
    const int rank = cos->shape.rank;
    const void *values[2] = {NULL};
    const bool fits = rank > 0 && oq_shape_equal(&cos->shape, &sin->shape) &&
                      cos->shape.dim[rank - 1] == (int64_t)(r->rotated / 2);
    r->rows = fits ? oq_shape_range_count(&cos->shape, 0, rank - 1) : 0;
    if (!fits || (!ids && r->rows != places) || (ids && oq_tensor_count(ids) != places)) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "the caches or position_ids of RotaryEmbedding do not fit %lld positions of %zu pairs",
                       (long long)places, r->rotated / 2);
    }
    OQ_TRY(oq_array_in(context, cos, OQ_WORK_F32, &values[0], err));
    OQ_TRY(oq_array_in(context, sin, OQ_WORK_F32, &values[1], err));
    r->cos = values[0];
    r->sin = values[1];
    r->ids = ids ? ids->data : NULL;
    for (int64_t i = 0; i < places && ids; i++) {
        if (r->ids[i] < 0 || r->ids[i] >= r->rows) {
            return oq_fail(err, ONNXQ_BAD_DATA, "position %lld is not among the %lld of the caches",
                           (long long)r->ids[i], (long long)r->rows);
        }
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    rotary r = {0};
    OQ_TRY(read_shape(context->node, &x->shape, &r, err));
    OQ_TRY(read_caches(context, &r, err));
    const void *in = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F32, &in, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &x->shape, OQ_WORK_F32, &y, err));
    for (size_t place = 0; place < r.batches * r.positions; place++) {
        const size_t row = (r.ids ? (size_t)r.ids[place] : place) * (r.rotated / 2);
        for (size_t head = 0; head < r.heads; head++) {
            const size_t at = x->shape.rank == 3 ? place * r.heads + head
                                                 : (place / r.positions * r.heads + head) * r.positions +
                                                       place % r.positions;
            rotate(&r, r.cos + row, r.sin + row, (const float *)in + at * r.size,
                   (float *)y.data + at * r.size);
        }
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static const oq_type_set types[] = {
    {"T", OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16)}, {"M", OQ_T(INT64)}, {0}};
static const oq_attr_spec attrs[] = {{"interleaved", OQ_ATTR_INT, false},
                                     {"num_heads", OQ_ATTR_INT, false},
                                     {"rotary_embedding_dim", OQ_ATTR_INT, false},
                                     {0}};

static const oq_op_version versions[] = {
    {.since = 23,
     .signature = "X:T, cos_cache:T, sin_cache:T, position_ids?:M -> Y:T",
     .types = types,
     .attrs = attrs,
     .infer = oq_infer_unary,
     .run = run},
};
OQ_ONNX_OP(RotaryEmbedding, versions);
