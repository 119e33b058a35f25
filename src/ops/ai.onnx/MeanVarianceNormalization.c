// MeanVarianceNormalization: (x - mean) / (standard deviation + 1e-9) over the given axes.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

#include <math.h>

#define GUARD 1e-9 // keeps constant values from dividing by 0; the standard's own function adds it

// For every element of x in order: which of the kept positions it belongs to.
typedef struct walk {
    const oq_shape *shape;
    int64_t stride[OQ_MAX_RANK]; // in groups; 0 along reduced axes
    int64_t index[OQ_MAX_RANK];
    int64_t group;
} walk;

static void next(walk *w) {
    for (int axis = w->shape->rank - 1; axis >= 0; axis--) {
        w->group += w->stride[axis];
        if (++w->index[axis] < w->shape->dim[axis]) return;
        w->group -= w->stride[axis] * w->shape->dim[axis];
        w->index[axis] = 0;
    }
}

// The walk and the number of groups for the node's axes.
static oq_status begin(const oq_node *node, const oq_shape *shape, walk *w, size_t *groups, oq_error *err) {
    static const int64_t usual[] = {0, 2, 3};
    size_t count = 0;
    const int64_t *axes = oq_node_ints(node, "axes", &count);
    bool reduced[OQ_MAX_RANK] = {false};
    if (!oq_node_attr(node, "axes")) {
        axes = usual;
        count = 3;
    }
    for (size_t i = 0; i < count; i++) {
        int axis = 0;
        if (!oq_axis_normalize(axes[i], shape->rank, &axis)) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld is out of range for rank %d", (long long)axes[i],
                           shape->rank);
        }
        reduced[axis] = true;
    }
    *w = (walk){.shape = shape};
    *groups = 1;
    for (int axis = shape->rank - 1; axis >= 0; axis--) {
        if (reduced[axis]) continue;
        w->stride[axis] = (int64_t)*groups;
        *groups *= (size_t)shape->dim[axis];
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const size_t count = (size_t)oq_tensor_count(x);
    walk start;
    size_t groups = 0;
    OQ_TRY(begin(context->node, &x->shape, &start, &groups, err));
    const void *in = NULL;
    void *sums = NULL;
    void *squares = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F64, &in, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &x->shape, OQ_WORK_F64, &y, err));
    OQ_TRY(oq_scratch_array(context, groups, sizeof(double), &sums, err));
    OQ_TRY(oq_scratch_array(context, groups, sizeof(double), &squares, err));
    const double *from = in;
    double *mean = sums;
    double *deviation = squares;
    const size_t members = groups ? count / groups : 0;
    const double each = (double)members;
    for (size_t g = 0; g < groups; g++) mean[g] = deviation[g] = 0;
    walk w = start;
    for (size_t i = 0; i < count; i++, next(&w)) mean[w.group] += from[i];
    for (size_t g = 0; g < groups; g++) mean[g] /= each;
    w = start;
    for (size_t i = 0; i < count; i++, next(&w)) {
        const double d = from[i] - mean[w.group];
        deviation[w.group] += d * d;
    }
    for (size_t g = 0; g < groups; g++) deviation[g] = sqrt(deviation[g] / each) + GUARD;
    w = start;
    for (size_t i = 0; i < count; i++, next(&w)) {
        ((double *)y.data)[i] = (from[i] - mean[w.group]) / deviation[w.group];
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static const oq_type_set types_9[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {{"axes", OQ_ATTR_INTS, false}, {0}};

#define RUNS .signature = "X:T -> Y:T", .attrs = attrs, .infer = oq_infer_unary, .run = run
static const oq_op_version versions[] = {
    {.since = 9, .types = types_9, RUNS},
    {.since = 13, .types = types_13, RUNS},
};
OQ_ONNX_OP(MeanVarianceNormalization, versions);
