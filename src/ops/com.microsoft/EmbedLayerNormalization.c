// EmbedLayerNormalization: the sum of word, position and segment embeddings, normalized along the last axis;
// and how many places of each sequence the mask keeps.
#include "ops/lib/infer.h"
#include "ops/lib/norm.h"

#include <string.h>

enum { IDS, SEGMENTS, WORDS, POSITIONS, SEGMENT_WORDS, GAMMA, BETA, MASK, POSITION_IDS };
enum { Y, MASK_INDEX, SUM };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    (void)err;
    if (oq_infer_rank(context, IDS) != 2) return ONNXQ_OK;
    const oq_dim dims[] = {oq_infer_dim(context, IDS, 0), oq_infer_dim(context, IDS, 1),
                           oq_infer_dim(context, WORDS, 1)};
    oq_infer_set(context, Y, oq_infer_dtype(context, WORDS), 3, dims);
    if (context->output_count > MASK_INDEX) oq_infer_set(context, MASK_INDEX, ONNXQ_INT32, 1, dims);
    if (context->output_count > SUM) oq_infer_set(context, SUM, oq_infer_dtype(context, WORDS), 3, dims);
    return ONNXQ_OK;
}

// Adds row `index` of the table at input `input` to y.
static oq_status add_row(const oq_run_context *context, size_t input, int64_t index, float *y, size_t size,
                         oq_error *err) {
    const oq_tensor *table = oq_in(context, input);
    const size_t bytes = oq_dtype_bytes(table->dtype);
    if (index < 0 || index >= table->shape.dim[0])
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "EmbedLayerNormalization: index %lld is outside of a table of %lld rows",
                       (long long)index, (long long)table->shape.dim[0]);
    for (size_t at = 0; at < size; at += OQ_BLOCK) {
        float block[OQ_BLOCK];
        const size_t n = oq_min_size(OQ_BLOCK, size - at);
        oq_load_f32(table->dtype, oq_at(table->data, (size_t)index * size + at, bytes), block, n);
        for (size_t i = 0; i < n; i++) y[at + i] += block[i];
    }
    return ONNXQ_OK;
}

static oq_status check_shapes(const oq_run_context *context, oq_error *err) {
    static const size_t tables[] = {WORDS, POSITIONS, SEGMENT_WORDS};
    const oq_shape *ids = &oq_in(context, IDS)->shape;
    const oq_tensor *segments = oq_in(context, SEGMENTS);
    const oq_tensor *places = oq_in(context, POSITION_IDS);
    const oq_tensor *mask = oq_in(context, MASK);
    bool fits = ids->rank == 2 && (!segments || oq_in(context, SEGMENT_WORDS));
    for (size_t i = 0; fits && i < 3; i++) {
        const oq_tensor *table = oq_in(context, tables[i]);
        const oq_tensor *words = oq_in(context, WORDS);
        fits = !table || (table->shape.rank == 2 && table->shape.dim[1] == words->shape.dim[1]);
    }
    fits = fits && (!segments || oq_shape_equal(&segments->shape, ids));
    fits = fits && (!mask || oq_shape_equal(&mask->shape, ids));
    fits = fits && (!places || (places->shape.rank == 2 && places->shape.dim[1] == ids->dim[1] &&
                                (places->shape.dim[0] == 1 || places->shape.dim[0] == ids->dim[0])));
    return fits ? ONNXQ_OK
                : oq_fail(err, ONNXQ_BAD_MODEL,
                          "EmbedLayerNormalization: the shapes of ids, mask and embeddings do not fit");
}

// The embeddings of all places, added.
static oq_status add_embeddings(oq_run_context *context, size_t size, float *y, oq_error *err) {
    const oq_tensor *ids = oq_in(context, IDS);
    const oq_tensor *segments = oq_in(context, SEGMENTS);
    const oq_tensor *places = oq_in(context, POSITION_IDS);
    const size_t count = (size_t)oq_tensor_count(ids);
    const size_t length = (size_t)ids->shape.dim[1];
    memset(y, 0, count * size * sizeof *y);
    for (size_t i = 0; i < count; i++, y += size) {
        const size_t at = places && places->shape.dim[0] > 1 ? i : i % length;
        const int64_t place = places ? ((const int32_t *)places->data)[at] : (int64_t)at;
        OQ_TRY(add_row(context, WORDS, ((const int32_t *)ids->data)[i], y, size, err));
        OQ_TRY(add_row(context, POSITIONS, place, y, size, err));
        if (segments)
            OQ_TRY(add_row(context, SEGMENT_WORDS, ((const int32_t *)segments->data)[i], y, size, err));
    }
    return ONNXQ_OK;
}

static oq_status count_mask(oq_run_context *context, oq_error *err) {
    const oq_tensor *mask = oq_in(context, MASK);
    const oq_shape *ids = &oq_in(context, IDS)->shape;
    const oq_shape shape = OQ_SHAPE(ids->dim[0]);
    oq_tensor *out = NULL;
    if (!oq_wanted(context, MASK_INDEX)) return ONNXQ_OK;
    OQ_TRY(oq_out(context, MASK_INDEX, ONNXQ_INT32, &shape, &out, err));
    int32_t *counts = out->data;
    for (int64_t b = 0; b < ids->dim[0]; b++) {
        counts[b] = 0;
        for (int64_t i = 0; mask && i < ids->dim[1]; i++)
            counts[b] += ((const int32_t *)mask->data)[b * ids->dim[1] + i] == 1;
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    OQ_TRY(check_shapes(context, err));
    const oq_tensor *words = oq_in(context, WORDS);
    const oq_shape *ids = &oq_in(context, IDS)->shape;
    oq_tensor sum = {.dtype = ONNXQ_FLOAT, .shape = OQ_SHAPE(ids->dim[0], ids->dim[1], words->shape.dim[1])};
    const size_t count = (size_t)oq_tensor_count(&sum);
    OQ_TRY(oq_shape_check(&sum.shape, sizeof(float), NULL, err));
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &sum.data, err));
    OQ_TRY(add_embeddings(context, (size_t)words->shape.dim[1], sum.data, err));
    OQ_TRY(count_mask(context, err));
    if (oq_wanted(context, SUM)) {
        oq_tensor *out = NULL;
        OQ_TRY(oq_out(context, SUM, words->dtype, &sum.shape, &out, err));
        oq_store_f32(words->dtype, sum.data, out->data, count);
    }
    const oq_norm norm = {.rows = (size_t)(ids->dim[0] * ids->dim[1]),
                          .parts = (size_t)words->shape.dim[1],
                          .part_size = 1,
                          .period = 1,
                          .center = true,
                          .x = &sum,
                          .epsilon = (double)oq_node_float(context->node, "epsilon", 1e-12F),
                          .scale = oq_in(context, GAMMA),
                          .bias = oq_in(context, BETA),
                          .y_dtype = words->dtype};
    return oq_norm_run(context, &norm, err);
}

static const oq_type_set types[] = {{"T1", OQ_T(INT32)}, {"T", OQ_T_FLOAT32 | OQ_T(FLOAT16)}, {0}};
static const oq_attr_spec attrs[] = {
    {"epsilon", OQ_ATTR_FLOAT, false}, {"mask_index_type", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature =
         "input_ids:T1, segment_ids?:T1, word_embedding:T, position_embedding:T, segment_embedding?:T, "
         "gamma:T, beta:T, mask?:T1, position_ids?:T1 -> output:T, mask_index?:T1, embedding_sum?:T",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_MICROSOFT_OP(EmbedLayerNormalization, versions);
