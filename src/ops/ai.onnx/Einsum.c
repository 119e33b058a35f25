// Einsum: operands are joined one after the other, each time by one batched matrix product.
#include "ops/lib/einsum.h"
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"
#include "ops/lib/product.h"

// What is joined so far: dense, one axis per label.
typedef struct joined {
    oq_einsum_term term;
    const void *data;
} joined;

typedef struct einsum {
    oq_einsum equation;
    oq_work_type work;
    int64_t size[OQ_EINSUM_LABELS]; // of every label
} einsum;

// Sizes of all labels; an operand may have 1 where another has more.
static oq_status read_sizes(const oq_run_context *context, einsum *e, oq_error *err) {
    for (int label = 0; label < OQ_EINSUM_LABELS; label++) e->size[label] = 1;
    for (size_t i = 0; i < e->equation.count; i++) {
        const oq_einsum_term *term = &e->equation.in[i];
        for (int k = 0; k < term->rank; k++) {
            const int64_t size = oq_in(context, i)->shape.dim[k];
            int64_t *known = &e->size[term->label[k]];
            if (size == 1 || size == *known) continue;
            if (*known != 1) {
                return oq_fail(err, ONNXQ_BAD_MODEL, "one label of Einsum stands for axes of %lld and %lld",
                               (long long)*known, (long long)size);
            }
            *known = size;
        }
    }
    return ONNXQ_OK;
}

static bool has(const oq_einsum_term *term, int label) {
    for (int k = 0; k < term->rank; k++) {
        if (term->label[k] == label) return true;
    }
    return false;
}

// Whether a label is still wanted once operand `i` is joined.
static bool wanted_behind(const oq_einsum *e, size_t i, int label) {
    if (has(&e->out, label)) return true;
    for (size_t k = i + 1; k < e->count; k++) {
        if (has(&e->in[k], label)) return true;
    }
    return false;
}

// Appends the labels of one part of the product to the axes of a gather.
typedef struct part {
    int count;
    int label[OQ_EINSUM_LABELS];
} part;

static oq_status axes_of(const einsum *e, const part *parts, const int *order, size_t count,
                         oq_einsum_term *out, oq_shape *shape, oq_error *err) {
    out->rank = 0;
    for (size_t p = 0; p < count; p++) {
        const part *from = &parts[order[p]];
        for (int k = 0; k < from->count; k++) {
            if (out->rank == OQ_MAX_RANK) {
                return oq_fail(err, ONNXQ_UNSUPPORTED,
                               "Einsum needs an intermediate result of more than %d axes", OQ_MAX_RANK);
            }
            shape->dim[out->rank] = e->size[from->label[k]];
            out->label[out->rank++] = from->label[k];
        }
    }
    shape->rank = out->rank;
    return oq_shape_check(shape, oq_work_bytes(e->work), NULL, err);
}

// `data` with `term` and these sizes, laid out along `onto`: repeated labels give diagonals, missing ones
// repeat.
static oq_status arrange(oq_run_context *context, const einsum *e, const oq_einsum_term *term,
                         const oq_shape *shape, const void *data, const oq_einsum_term *onto,
                         const oq_shape *onto_shape, void **out, oq_error *err) {
    int64_t strides[OQ_MAX_RANK];
    int64_t along[OQ_MAX_RANK] = {0};
    const size_t size = oq_work_bytes(e->work);
    oq_shape_strides(shape, strides);
    for (int k = 0; k < onto->rank; k++) {
        for (int i = 0; i < term->rank; i++) {
            if (term->label[i] == onto->label[k] && shape->dim[i] != 1) along[k] += strides[i];
        }
    }
    OQ_TRY(oq_scratch_array(context, (size_t)oq_shape_count(onto_shape), size, out, err));
    oq_array_gather(data, along, onto_shape, size, *out);
    return ONNXQ_OK;
}

static size_t elements(const einsum *e, const part *p) {
    size_t count = 1;
    for (int k = 0; k < p->count; k++) count *= (size_t)e->size[p->label[k]];
    return count;
}

enum { BATCH, ROWS, COLUMNS, SUMMED };

// Which part of the product every label of the two sides belongs to.
static void classify(const einsum *e, size_t i, const oq_einsum_term *left, part parts[4]) {
    const oq_einsum_term *right = &e->equation.in[i];
    for (int label = 0; label < OQ_EINSUM_LABELS; label++) {
        const bool on_left = has(left, label);
        const bool on_right = has(right, label);
        if (!on_left && !on_right) continue;
        const bool kept = wanted_behind(&e->equation, i, label);
        part *p = &parts[!kept ? SUMMED : on_left && on_right ? BATCH : on_left ? ROWS : COLUMNS];
        p->label[p->count++] = label;
    }
}

static oq_status join(oq_run_context *context, const einsum *e, size_t i, joined *all, oq_error *err) {
    static const int left_order[] = {BATCH, ROWS, SUMMED};
    static const int right_order[] = {BATCH, SUMMED, COLUMNS};
    static const int out_order[] = {BATCH, ROWS, COLUMNS};
    const oq_tensor *operand = oq_in(context, i);
    part parts[4] = {{0}};
    oq_einsum_term left;
    oq_einsum_term right;
    oq_einsum_term term;
    oq_shape left_shape;
    oq_shape right_shape;
    oq_shape shape;
    oq_shape all_shape = {.rank = all->term.rank};
    const void *values = NULL;
    void *a = NULL;
    void *b = NULL;
    void *c = NULL;
    for (int k = 0; k < all->term.rank; k++) all_shape.dim[k] = e->size[all->term.label[k]];
    classify(e, i, &all->term, parts);
    OQ_TRY(axes_of(e, parts, left_order, 3, &left, &left_shape, err));
    OQ_TRY(axes_of(e, parts, right_order, 3, &right, &right_shape, err));
    OQ_TRY(axes_of(e, parts, out_order, 3, &term, &shape, err));
    OQ_TRY(oq_array_in(context, operand, e->work, &values, err));
    OQ_TRY(arrange(context, e, &all->term, &all_shape, all->data, &left, &left_shape, &a, err));
    OQ_TRY(arrange(context, e, &e->equation.in[i], &operand->shape, values, &right, &right_shape, &b, err));
    oq_product p = {.work = e->work,
                    .m = elements(e, &parts[ROWS]),
                    .n = elements(e, &parts[COLUMNS]),
                    .k = elements(e, &parts[SUMMED]),
                    .a_column = 1,
                    .pool = context->pool};
    p.a_row = p.k;
    p.ldb = p.n;
    p.ldc = p.n;
    const size_t size = oq_work_bytes(e->work);
    OQ_TRY(oq_product_space(context, e->work, p.k, p.n, &p.space, err));
    OQ_TRY(oq_scratch_array(context, (size_t)oq_shape_count(&shape), size, &c, err));
    for (size_t batch = 0; batch < elements(e, &parts[BATCH]); batch++) {
        p.a = (const char *)a + batch * p.m * p.k * size;
        p.b = (const char *)b + batch * p.k * p.n * size;
        p.c = (char *)c + batch * p.m * p.n * size;
        oq_product_run(&p);
    }
    *all = (joined){.term = term, .data = c};
    return ONNXQ_OK;
}

static oq_status parse(const oq_node *node, size_t count, const int *ranks, oq_einsum *out, oq_error *err) {
    const char *equation = oq_node_string(node, "equation", NULL);
    if (!equation || !count) return oq_fail(err, ONNXQ_BAD_MODEL, "Einsum needs an equation and operands");
    return oq_einsum_parse(equation, count, ranks, out, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    static const union {
        float f32;
        double f64;
        uint64_t u64;
    } ones[] = {[OQ_WORK_F32] = {.f32 = 1},
                [OQ_WORK_F64] = {.f64 = 1},
                [OQ_WORK_I64] = {.u64 = 1},
                [OQ_WORK_U64] = {.u64 = 1}};
    const size_t count = context->input_count;
    int ranks[OQ_EINSUM_MAX_INPUTS] = {0};
    for (size_t i = 0; i < count && i < OQ_EINSUM_MAX_INPUTS; i++) {
        if (!oq_in(context, i)) return oq_fail(err, ONNXQ_BAD_MODEL, "operand %zu of Einsum is left out", i);
        ranks[i] = oq_in(context, i)->shape.rank;
    }
    einsum e;
    OQ_TRY(parse(context->node, count, ranks, &e.equation, err));
    const oq_dtype dtype = oq_in(context, 0)->dtype;
    e.work = oq_dtype_info(dtype)->work;
    OQ_TRY(read_sizes(context, &e, err));
    joined all = {.data = &ones[e.work]};
    for (size_t i = 0; i < count; i++) OQ_TRY(join(context, &e, i, &all, err));
    oq_shape shape = {.rank = e.equation.out.rank};
    oq_shape from = {.rank = all.term.rank};
    for (int k = 0; k < shape.rank; k++) shape.dim[k] = e.size[e.equation.out.label[k]];
    for (int k = 0; k < from.rank; k++) from.dim[k] = e.size[all.term.label[k]];
    oq_tensor *y = NULL;
    void *arranged = NULL;
    OQ_TRY(oq_out(context, 0, dtype, &shape, &y, err));
    OQ_TRY(arrange(context, &e, &all.term, &from, all.data, &e.equation.out, &shape, &arranged, err));
    oq_work_store_as(e.work, dtype, arranged, y->data, (size_t)oq_tensor_count(y));
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    int ranks[OQ_EINSUM_MAX_INPUTS] = {0};
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    for (size_t i = 0; i < context->input_count && i < OQ_EINSUM_MAX_INPUTS; i++) {
        ranks[i] = oq_infer_rank(context, i);
        if (ranks[i] < 0) return ONNXQ_OK;
    }
    oq_einsum e;
    OQ_TRY(parse(context->node, context->input_count, ranks, &e, err));
    oq_dim size[OQ_EINSUM_LABELS];
    for (int label = 0; label < OQ_EINSUM_LABELS; label++) size[label] = oq_dim_of(1);
    for (size_t i = 0; i < e.count; i++) {
        for (int k = 0; k < e.in[i].rank; k++) {
            oq_dim *known = &size[e.in[i].label[k]];
            OQ_TRY(oq_infer_broadcast_dim(context, *known, oq_infer_dim(context, i, k), known, err));
        }
    }
    oq_dim dims[OQ_MAX_RANK];
    for (int k = 0; k < e.out.rank; k++) dims[k] = size[e.out.label[k]];
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), e.out.rank, dims);
    return ONNXQ_OK;
}

// One multiplication for every combination of all labels.
static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    int ranks[OQ_EINSUM_MAX_INPUTS] = {0};
    uint64_t size[OQ_EINSUM_LABELS] = {0};
    oq_einsum e = {0};
    if (node->input_count < 2 || node->input_count > OQ_EINSUM_MAX_INPUTS) return 0;
    for (size_t i = 0; i < node->input_count; i++) {
        if (!oq_macs_input(graph, node, i)) return 0;
        ranks[i] = oq_macs_input(graph, node, i)->rank;
    }
    if (parse(node, node->input_count, ranks, &e, NULL) != ONNXQ_OK) return 0;
    for (size_t i = 0; i < e.count; i++) {
        for (int k = 0; k < e.in[i].rank; k++) {
            const uint64_t n = oq_macs_dim(oq_macs_input(graph, node, i), k);
            if (n > size[e.in[i].label[k]]) size[e.in[i].label[k]] = n;
        }
    }
    uint64_t count = 1;
    for (int label = 0; label < OQ_EINSUM_LABELS; label++) {
        if (size[label]) count = oq_macs_times(count, size[label]);
    }
    return count;
}

static const oq_type_set types_12[] = {{"T", OQ_T_NUMERIC3}, {0}};
static const oq_type_set types_28[] = {{"T", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs[] = {{"equation", OQ_ATTR_STRING, true}, {0}};

#define SIGNATURE "Inputs+:T -> Output:T"
#define RUNS      .signature = SIGNATURE, .attrs = attrs, .infer = infer, .run = run, .macs = macs
static const oq_op_version versions[] = {
    {.since = 12, .types = types_12, RUNS},
    {.since = 28, .types = types_28, RUNS},
};
OQ_ONNX_OP(Einsum, versions);
