// Losses of classification: the part after the log-probabilities.
#include "ops/lib/loss.h"

#include "ops/lib/convert.h"

#include <inttypes.h>
#include <string.h>

typedef enum reduction { REDUCE_NONE, REDUCE_SUM, REDUCE_MEAN } reduction;

static oq_status read_reduction(const oq_node *node, reduction *out, oq_error *err) {
    static const char *const names[] = {"none", "sum", "mean"};
    const char *text = oq_node_string(node, "reduction", "mean");
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (reduction)i;
            return ONNXQ_OK;
        }
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s: attribute reduction is '%s', not none, sum or mean",
                   node->op_type, text);
}

// Scores [N, C, d...], labels [N, d...], weights [C].
static oq_status check_shapes(const oq_run_context *context, const oq_tensor *scores, const oq_tensor *labels,
                              const oq_tensor *weights, oq_error *err) {
    bool fits = scores->shape.rank >= 2 && labels->shape.rank == scores->shape.rank - 1 &&
                labels->shape.dim[0] == scores->shape.dim[0];
    for (int axis = 2; fits && axis < scores->shape.rank; axis++)
        fits = scores->shape.dim[axis] == labels->shape.dim[axis - 1];
    if (fits && weights) fits = weights->shape.rank == 1 && weights->shape.dim[0] == scores->shape.dim[1];
    if (fits) return ONNXQ_OK;
    char s[128], l[128];
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s: scores %s and labels %s (and weights) do not belong together",
                   context->node->op_type, oq_shape_format(&scores->shape, s, sizeof s),
                   oq_shape_format(&labels->shape, l, sizeof l));
}

typedef struct loss_sum {
    double loss, weight;
} loss_sum;

// The losses of all labels one after the other; each also to `each` when that is not NULL.
static oq_status add_up(const oq_run_context *context, const oq_tensor *scores, const oq_tensor *labels,
                        const oq_tensor *weights, double *each, loss_sum *sum, oq_error *err) {
    const oq_axis_view v = oq_axis_view_of(&scores->shape, 1);
    const oq_attr *ignore = oq_node_attr(context->node, "ignore_index");
    for (size_t n = 0; n < v.outer; n++)
        for (size_t d = 0; d < v.inner; d++) {
            const size_t at = n * v.inner + d;
            const int64_t label = oq_tensor_get_i64(labels, (int64_t)at);
            const bool ignored = ignore && label == ignore->i;
            double loss = 0, weight = 0;
            if (!ignored && (label < 0 || (size_t)label >= v.axis))
                return oq_fail(err, ONNXQ_BAD_DATA, "%s: label %" PRId64 " is not one of the %zu classes",
                               context->node->op_type, label, v.axis);
            if (!ignored) {
                weight = weights ? oq_tensor_get_f64(weights, label) : 1;
                loss = -weight *
                       oq_tensor_get_f64(scores, (int64_t)((n * v.axis + (size_t)label) * v.inner + d));
            }
            if (each) each[at] = loss;
            sum->loss += loss;
            sum->weight += weight;
        }
    return ONNXQ_OK;
}

oq_status oq_loss_run(oq_run_context *context, const oq_tensor *scores, oq_error *err) {
    const oq_tensor *labels, *weights = oq_in(context, 2);
    const oq_convert_options options = {.saturate = true};
    reduction how = REDUCE_MEAN;
    loss_sum sum = {0};
    oq_tensor *y;
    OQ_TRY(oq_need(context, 1, &labels, err));
    OQ_TRY(read_reduction(context->node, &how, err));
    OQ_TRY(check_shapes(context, scores, labels, weights, err));
    if (how != REDUCE_NONE) {
        OQ_TRY(add_up(context, scores, labels, weights, NULL, &sum, err));
        const double result = how == REDUCE_SUM ? sum.loss : sum.loss / sum.weight;
        OQ_TRY(oq_out(context, 0, scores->dtype, &(oq_shape){0}, &y, err));
        oq_convert_block(ONNXQ_DOUBLE, &result, scores->dtype, y->data, 1, &options);
        return ONNXQ_OK;
    }
    const size_t count = (size_t)oq_tensor_count(labels);
    size_t bytes;
    if (!oq_mul_size(count, sizeof(double), &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "%s: too many labels", context->node->op_type);
    double *each = oq_scratch(context, bytes, err);
    if (!each) return ONNXQ_NO_MEMORY;
    OQ_TRY(add_up(context, scores, labels, weights, each, &sum, err));
    OQ_TRY(oq_out(context, 0, scores->dtype, &labels->shape, &y, err));
    oq_convert_block(ONNXQ_DOUBLE, each, scores->dtype, y->data, count, &options);
    return ONNXQ_OK;
}

oq_status oq_infer_loss(oq_infer_context *context, oq_error *err) {
    reduction how = REDUCE_MEAN;
    OQ_TRY(read_reduction(context->node, &how, err));
    const oq_dtype dtype = oq_infer_dtype(context, 0);
    const oq_type *labels = oq_infer_in(context, 1);
    if (how != REDUCE_NONE)
        oq_infer_set(context, 0, dtype, 0, NULL);
    else if (labels && labels->rank >= 0)
        oq_infer_set(context, 0, dtype, labels->rank, labels->dim);
    else
        oq_infer_set_dtype(context, 0, dtype);
    return ONNXQ_OK;
}
