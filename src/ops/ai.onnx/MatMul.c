// MatMul: numpy's matrix product over leading axes that broadcast.
#include "ops/lib/matmul.h"
#include "ops/lib/factor.h"
#include "ops/lib/infer.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_matmul_infer(context, 0, 1, oq_infer_dtype(context, 0), err);
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    const oq_tensor *b = oq_in(context, 1);
    if (!b || !b->shape.rank || oq_dtype_info(b->dtype)->work != OQ_WORK_F32) return ONNXQ_OK;
    const int rank = b->shape.rank;
    const size_t n = rank == 1 ? 1 : (size_t)b->shape.dim[rank - 1];
    const size_t k = (size_t)b->shape.dim[rank == 1 ? 0 : rank - 2];
    const size_t count = rank > 2 ? (size_t)oq_shape_range_count(&b->shape, 0, rank - 2) : 1;
    oq_packed *packed = NULL;
    OQ_TRY(oq_factor_pack(context, b, count, k, n, false, &packed, err));
    *state = packed;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *a = oq_in(context, 0);
    const oq_tensor *b = oq_in(context, 1);
    const oq_packed *packed = context->state;
    const oq_work_type work = oq_dtype_info(a->dtype)->work;
    oq_matmul plan;
    OQ_TRY(oq_matmul_plan(&a->shape, &b->shape, &plan, err));
    oq_array_target y;
    OQ_TRY(oq_array_out(context, 0, a->dtype, &plan.out, work, &y, err));
    oq_product p = {.work = work,
                    .m = plan.m,
                    .n = plan.n,
                    .k = plan.k,
                    .a_row = plan.k,
                    .a_column = 1,
                    .ldb = plan.n,
                    .ldc = plan.n,
                    .pool = context->pool};
    const void *left = NULL;
    const void *right = NULL;
    OQ_TRY(oq_array_in(context, a, work, &left, err));
    if (!packed) {
        OQ_TRY(oq_array_in(context, b, work, &right, err));
        OQ_TRY(oq_product_space(context, work, plan.k, plan.n, &p.space, err));
    }
    const size_t size = oq_work_bytes(work);
    for (size_t i = 0; i < plan.batches; i++) {
        size_t ai = 0;
        size_t bi = 0;
        oq_matmul_batch(&plan, i, &ai, &bi);
        p.a = (const char *)left + ai * plan.m * plan.k * size;
        p.c = (char *)y.data + i * plan.m * plan.n * size;
        if (packed) {
            p.packed = oq_packed_at(packed, bi);
        } else {
            p.b = (const char *)right + bi * plan.k * plan.n * size;
        }
        oq_product_run(&p);
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) { return oq_matmul_macs(graph, node, 0); }

#define WIDE (OQ_T(UINT32) | OQ_T(UINT64) | OQ_T(INT32) | OQ_T(INT64))
#define RUNS                                                                                                 \
    .infer = infer, .run = run, .prepare = prepare, .release = oq_packed_free, .spent = 1U << 1, .macs = macs
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_9[] = {{"T", OQ_T_FLOATS3 | WIDE}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4 | WIDE}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "A:T, B:T -> Y:T", .types = types_1, RUNS},
    {.since = 9, .signature = "A:T, B:T -> Y:T", .types = types_9, RUNS},
    {.since = 13, .signature = "A:T, B:T -> Y:T", .types = types_13, RUNS},
};
OQ_ONNX_OP(MatMul, versions);
