// TreeEnsemble: the leaves that a sample reaches in each decision tree, added up per target.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"
#include "ops/lib/schema.h"

#include <math.h>

enum { LEQ, LT, GTE, GT, EQ, NEQ, MEMBER };
enum { AVERAGE, SUM, LEAST, MOST };
enum { NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO };

// Nodes and leaves are numbered through all trees.
typedef struct forest {
    size_t nodes, leaves, trees;
    const double *splits, *members, *weights, *modes;
    size_t *sets; // [nodes] where the set of a MEMBER node begins in `members`, each ended by NaN
    const int64_t *features, *when_true, *when_false, *true_is_leaf, *false_is_leaf, *missing, *roots,
        *targets;
    size_t width;    // of a sample
    int64_t outputs; // targets
} forest;

static oq_status bad(const char *what, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s of TreeEnsemble does not fit its other attributes", what);
}

static oq_status read_ints(const oq_node *node, const char *name, size_t count, const int64_t **out,
                           oq_error *err) {
    size_t given;
    *out = oq_node_ints(node, name, &given);
    return given == count ? ONNXQ_OK : bad(name, err);
}

// A tensor attribute as doubles in scratch; *out is NULL when it is missing.
static oq_status read_numbers(oq_run_context *context, const char *name, const double **out, size_t *count,
                              oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, name);
    oq_tensor tensor;
    void *values = NULL;
    *out = NULL;
    *count = 0;
    if (!attr || attr->kind != OQ_ATTR_TENSOR) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(context->mem, attr->tensor, &tensor, err));
    *count = (size_t)oq_tensor_count(&tensor);
    oq_status status =
        oq_work_of(tensor.dtype) == OQ_WORK_NONE ? oq_no_loop(context, tensor.dtype, err) : ONNXQ_OK;
    if (status == ONNXQ_OK) status = oq_scratch_array(context, *count, sizeof(double), &values, err);
    if (status == ONNXQ_OK) oq_work_load_as(OQ_WORK_F64, tensor.dtype, tensor.data, values, *count);
    oq_tensor_release(&tensor);
    *out = values;
    return status;
}

// The sets of MEMBER nodes follow each other in the order of the nodes.
static oq_status place_sets(oq_run_context *context, forest *f, size_t members, oq_error *err) {
    size_t at = 0;
    f->sets = oq_scratch(context, (f->nodes + 1) * sizeof *f->sets, err);
    if (!f->sets) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < f->nodes; i++) {
        f->sets[i] = at;
        if (f->modes[i] != MEMBER) continue;
        while (at < members && !isnan(f->members[at])) at++;
        if (at++ == members) return bad("membership_values", err);
    }
    return ONNXQ_OK;
}

// Every reference leads to something; children come behind their node or the walk is bounded by the count.
static oq_status check(const forest *f, oq_error *err) {
    for (size_t i = 0; i < f->nodes; i++) {
        const int64_t yes = f->when_true[i], no = f->when_false[i];
        if (yes < 0 || no < 0 || (size_t)yes >= (f->true_is_leaf[i] ? f->leaves : f->nodes) ||
            (size_t)no >= (f->false_is_leaf[i] ? f->leaves : f->nodes))
            return bad("a node reference", err);
        if (f->features[i] < 0 || (size_t)f->features[i] >= f->width) return bad("nodes_featureids", err);
        if (!(f->modes[i] >= LEQ && f->modes[i] <= MEMBER)) return bad("nodes_modes", err);
    }
    for (size_t i = 0; i < f->leaves; i++)
        if (f->targets[i] < 0 || f->targets[i] >= f->outputs) return bad("leaf_targetids", err);
    for (size_t i = 0; i < f->trees; i++)
        if (f->roots[i] < 0 || (size_t)f->roots[i] >= f->nodes) return bad("tree_roots", err);
    return ONNXQ_OK;
}

static oq_status read_forest(oq_run_context *context, forest *f, oq_error *err) {
    const oq_node *node = context->node;
    size_t splits, members;
    OQ_TRY(read_numbers(context, "nodes_modes", &f->modes, &f->nodes, err));
    OQ_TRY(read_numbers(context, "nodes_splits", &f->splits, &splits, err));
    OQ_TRY(read_numbers(context, "leaf_weights", &f->weights, &f->leaves, err));
    OQ_TRY(read_numbers(context, "membership_values", &f->members, &members, err));
    if (splits != f->nodes) return bad("nodes_splits", err);
    OQ_TRY(read_ints(node, "nodes_featureids", f->nodes, &f->features, err));
    OQ_TRY(read_ints(node, "nodes_truenodeids", f->nodes, &f->when_true, err));
    OQ_TRY(read_ints(node, "nodes_falsenodeids", f->nodes, &f->when_false, err));
    OQ_TRY(read_ints(node, "nodes_trueleafs", f->nodes, &f->true_is_leaf, err));
    OQ_TRY(read_ints(node, "nodes_falseleafs", f->nodes, &f->false_is_leaf, err));
    OQ_TRY(read_ints(node, "leaf_targetids", f->leaves, &f->targets, err));
    if (oq_node_attr(node, "nodes_missing_value_tracks_true"))
        OQ_TRY(read_ints(node, "nodes_missing_value_tracks_true", f->nodes, &f->missing, err));
    f->roots = oq_node_ints(node, "tree_roots", &f->trees);
    f->outputs = oq_node_int(node, "n_targets", 1);
    if (f->outputs < 1) return bad("n_targets", err);
    OQ_TRY(place_sets(context, f, members, err));
    return check(f, err);
}

static bool is_member(const double *set, double x) {
    while (!isnan(*set))
        if (*set++ == x) return true;
    return false;
}

static bool goes_true(const forest *f, size_t node, const double *x) {
    const double value = x[f->features[node]], split = f->splits[node];
    if (isnan(value) && f->missing && f->missing[node]) return true;
    switch ((int)f->modes[node]) {
    case LEQ: return value <= split;
    case LT: return value < split;
    case GTE: return value >= split;
    case GT: return value > split;
    case EQ: return value == split;
    case NEQ: return value != split;
    default: return is_member(f->members + f->sets[node], value);
    }
}

// The leaf of one tree; a path longer than there are nodes goes in a circle.
static oq_status find_leaf(const forest *f, size_t tree, const double *x, size_t *leaf, oq_error *err) {
    size_t node = (size_t)f->roots[tree];
    for (size_t steps = 0; steps < f->nodes; steps++) {
        const bool yes = goes_true(f, node, x);
        const size_t next = (size_t)(yes ? f->when_true : f->when_false)[node];
        if ((yes ? f->true_is_leaf : f->false_is_leaf)[node]) {
            *leaf = next;
            return ONNXQ_OK;
        }
        node = next;
    }
    return bad("the path from a root", err);
}

// Softmax over all scores, or over those that are not 0.
static void soften(double *y, size_t n, bool skip_zero) {
    double most = -(double)INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) most = y[i] > most ? y[i] : most;
    for (size_t i = 0; i < n; i++) {
        if (skip_zero && y[i] == 0) continue;
        y[i] = exp(y[i] - most);
        sum += y[i];
    }
    for (size_t i = 0; i < n && sum > 0; i++) y[i] /= sum;
}

static oq_status predict(const forest *f, int64_t aggregate, int64_t transform, const double *x, double *y,
                         oq_error *err) {
    const size_t n = (size_t)f->outputs;
    for (size_t i = 0; i < n; i++)
        y[i] = aggregate == LEAST ? (double)INFINITY : aggregate == MOST ? -(double)INFINITY : 0;
    for (size_t tree = 0; tree < f->trees; tree++) {
        size_t leaf = 0;
        OQ_TRY(find_leaf(f, tree, x, &leaf, err));
        double *target = &y[f->targets[leaf]];
        const double weight = f->weights[leaf];
        if (aggregate == SUM || aggregate == AVERAGE)
            *target += aggregate == SUM ? weight : weight / (double)f->trees;
        else if (aggregate == LEAST ? weight < *target : weight > *target)
            *target = weight;
    }
    if (transform == SOFTMAX || transform == SOFTMAX_ZERO) soften(y, n, transform == SOFTMAX_ZERO);
    for (size_t i = 0; transform == LOGISTIC && i < n; i++) y[i] = 1 / (1 + exp(-y[i]));
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    const void *data;
    oq_array_target y;
    OQ_TRY(oq_need(context, 0, &x, err));
    const int64_t aggregate = oq_node_int(context->node, "aggregate_function", SUM);
    const int64_t transform = oq_node_int(context->node, "post_transform", NONE);
    if (aggregate < AVERAGE || aggregate > MOST) return bad("aggregate_function", err);
    if (transform < NONE || transform > SOFTMAX_ZERO)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "post_transform %lld of TreeEnsemble is not supported",
                       (long long)transform);
    if (x->shape.rank != 2) return oq_fail(err, ONNXQ_BAD_DATA, "TreeEnsemble needs an input of rank 2");
    forest f = {.width = (size_t)x->shape.dim[1]};
    OQ_TRY(read_forest(context, &f, err));
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F64, &data, err));
    const oq_shape shape = OQ_SHAPE(x->shape.dim[0], f.outputs);
    OQ_TRY(oq_array_out(context, 0, x->dtype, &shape, OQ_WORK_F64, &y, err));
    for (size_t row = 0; row < (size_t)x->shape.dim[0]; row++)
        OQ_TRY(predict(&f, aggregate, transform, (const double *)data + row * f.width,
                       (double *)y.data + row * (size_t)f.outputs, err));
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const int64_t targets = oq_node_int(context->node, "n_targets", 0);
    const oq_dim dims[] = {oq_infer_dim(context, 0, 0), targets > 0 ? oq_dim_of(targets) : OQ_DIM_ANONYMOUS};
    (void)err;
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), 2, dims);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 5,
     .signature = "X:T -> Y:T",
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),
     .attrs = OQ_ATTRS({"aggregate_function", OQ_ATTR_INT, false}, {"leaf_targetids", OQ_ATTR_INTS, true},
                       {"leaf_weights", OQ_ATTR_TENSOR, true}, {"membership_values", OQ_ATTR_TENSOR, false},
                       {"n_targets", OQ_ATTR_INT, false}, {"nodes_falseleafs", OQ_ATTR_INTS, true},
                       {"nodes_falsenodeids", OQ_ATTR_INTS, true}, {"nodes_featureids", OQ_ATTR_INTS, true},
                       {"nodes_hitrates", OQ_ATTR_TENSOR, false},
                       {"nodes_missing_value_tracks_true", OQ_ATTR_INTS, false},
                       {"nodes_modes", OQ_ATTR_TENSOR, true}, {"nodes_splits", OQ_ATTR_TENSOR, true},
                       {"nodes_trueleafs", OQ_ATTR_INTS, true}, {"nodes_truenodeids", OQ_ATTR_INTS, true},
                       {"post_transform", OQ_ATTR_INT, false}, {"tree_roots", OQ_ATTR_INTS, true}),
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx_ml, TreeEnsemble, "ai.onnx.ml", versions, OQ_OP_PLAIN);
