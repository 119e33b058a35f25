// NonMaxSuppression: per batch and class the boxes of highest score that do not overlap a better one too
// much.
#include "ops/lib/lists.h"
#include "ops/lib/order.h"
#include "ops/lib/schema.h"

typedef struct box {
    float low[2], high[2]; // corners in order, whatever the model gives
} box;

static box read_box(const float *v, bool center) {
    box b;
    for (int d = 0; d < 2; ++d) {
        // [x center, y center, width, height], or two corners [y1, x1, y2, x2].
        const float p = center ? v[d] - v[d + 2] / 2 : v[d], q = center ? v[d] + v[d + 2] / 2 : v[d + 2];
        b.low[d] = p < q ? p : q;
        b.high[d] = p < q ? q : p;
    }
    return b;
}

static float area(const box *b) { return (b->high[0] - b->low[0]) * (b->high[1] - b->low[1]); }

static bool overlaps(const box *a, const box *b, float threshold) {
    float common = 1;
    for (int d = 0; d < 2; ++d) {
        const float low = a->low[d] > b->low[d] ? a->low[d] : b->low[d];
        const float high = a->high[d] < b->high[d] ? a->high[d] : b->high[d];
        if (!(high > low)) return false;
        common *= high - low;
    }
    const float both = area(a) + area(b) - common;
    return both > 0 && common / both > threshold;
}

static bool score_before(void *self, int64_t a, int64_t b) {
    const float *scores = self;
    return scores[a] > scores[b];
}

typedef struct limits {
    int64_t most;
    float overlap, score;
    bool has_score, center;
} limits;

static oq_status float_input(const oq_run_context *context, size_t i, float *value, bool *given,
                             oq_error *err) {
    const oq_tensor *tensor = oq_in(context, i);
    *given = tensor;
    if (!tensor) return ONNXQ_OK;
    if (oq_tensor_count(tensor) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu of NonMaxSuppression must be one number", i);
    *value = (float)oq_tensor_get_f64(tensor, 0);
    return ONNXQ_OK;
}

static oq_status read_limits(oq_run_context *context, limits *l, oq_error *err) {
    bool given;
    *l = (limits){.center = oq_node_int(context->node, "center_point_box", 0) != 0};
    OQ_TRY(oq_int_input(context, 2, 0, &l->most, err));
    OQ_TRY(float_input(context, 3, &l->overlap, &given, err));
    return float_input(context, 4, &l->score, &l->has_score, err);
}

// Indices of the boxes kept for one class into `kept`; how many.
static int64_t select_boxes(const box *boxes, const float *scores, int64_t count, const limits *l,
                            int64_t *ids, int64_t *spare, int64_t *kept) {
    int64_t n = 0, chosen = 0;
    for (int64_t i = 0; i < count; ++i)
        if (!l->has_score || scores[i] > l->score) ids[n++] = i;
    oq_order_sort(ids, spare, (size_t)n, score_before, (void *)(uintptr_t)scores);
    for (int64_t i = 0; i < n && chosen < l->most; ++i) {
        bool free = true;
        for (int64_t k = 0; free && k < chosen; ++k)
            free = !overlaps(&boxes[ids[i]], &boxes[kept[k]], l->overlap);
        if (free) kept[chosen++] = ids[i];
    }
    return chosen;
}

static oq_status check(const oq_tensor *boxes, const oq_tensor *scores, oq_error *err) {
    const int64_t *b = boxes->shape.dim, *s = scores->shape.dim;
    if (boxes->dtype == ONNXQ_FLOAT && scores->dtype == ONNXQ_FLOAT && boxes->shape.rank == 3 &&
        scores->shape.rank == 3 && b[2] == 4 && b[0] == s[0] && b[1] == s[2])
        return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "NonMaxSuppression needs float32 boxes [B,N,4] and scores [B,C,N]");
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *boxes, *scores;
    limits l;
    OQ_TRY(oq_need(context, 0, &boxes, err));
    OQ_TRY(oq_need(context, 1, &scores, err));
    OQ_TRY(check(boxes, scores, err));
    OQ_TRY(read_limits(context, &l, err));
    const int64_t batch = scores->shape.dim[0], classes = scores->shape.dim[1], count = scores->shape.dim[2];
    const size_t bytes = ((size_t)count + 1) * sizeof(int64_t);
    int64_t *ids = oq_scratch(context, bytes, err), *spare = oq_scratch(context, bytes, err);
    int64_t *kept = oq_scratch(context, bytes, err);
    box *now = oq_scratch(context, ((size_t)count + 1) * sizeof *now, err);
    // At most every box of every class.
    int64_t *rows = oq_scratch(context, ((size_t)oq_tensor_count(scores) + 1) * 3 * sizeof *rows, err),
            found = 0;
    if (!ids || !spare || !kept || !now || !rows) return ONNXQ_NO_MEMORY;
    for (int64_t b = 0; b < batch; ++b) {
        for (int64_t i = 0; i < count; ++i)
            now[i] = read_box((const float *)boxes->data + (b * count + i) * 4, l.center);
        for (int64_t c = 0; c < classes; ++c) {
            const float *line = (const float *)scores->data + (b * classes + c) * count;
            const int64_t chosen = select_boxes(now, line, count, &l, ids, spare, kept);
            for (int64_t k = 0; k < chosen; ++k, ++found)
                rows[3 * found] = b, rows[3 * found + 1] = c, rows[3 * found + 2] = kept[k];
        }
    }
    const oq_shape shape = OQ_SHAPE(found, 3);
    oq_tensor *out;
    OQ_TRY(oq_out(context, 0, ONNXQ_INT64, &shape, &out, err));
    for (int64_t k = 0; k < 3 * found; ++k) ((int64_t *)out->data)[k] = rows[k];
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    (void)err;
    const oq_dim dims[2] = {OQ_DIM_ANONYMOUS, oq_dim_of(3)};
    oq_infer_set(context, 0, ONNXQ_INT64, 2, dims);
    return ONNXQ_OK;
}

#define VERSION(SINCE)                                                                                       \
    {                                                                                                        \
        .since = SINCE,                                                                                      \
        .signature =                                                                                         \
            "boxes:float32, scores:float32, max_output_boxes_per_class?:int64, iou_threshold?:float32, "     \
            "score_threshold?:float32 -> selected_indices:int64",                                            \
        .attrs = OQ_ATTRS({"center_point_box", OQ_ATTR_INT, false}), .infer = infer, .run = run              \
    }

static const oq_op_version versions[] = {VERSION(10), VERSION(11)};

OQ_ONNX_OP(NonMaxSuppression, versions);
