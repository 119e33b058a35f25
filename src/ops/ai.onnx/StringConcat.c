// StringConcat: the strings of two tensors joined, broadcast.
#include "ops/lib/broadcast.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/strings.h"

#include <string.h>

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x, *y;
    oq_strings a, b, joined;
    oq_shape shape;
    oq_broadcast plan;
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(oq_need(context, 1, &y, err));
    OQ_TRY(oq_strings_of(context, x, &a, err));
    OQ_TRY(oq_strings_of(context, y, &b, err));
    OQ_TRY(oq_shape_broadcast(&x->shape, &y->shape, &shape, err));
    OQ_TRY(oq_shape_check(&shape, 1, NULL, err));
    oq_broadcast_plan(&plan, &shape, (const oq_shape *[]){&x->shape, &y->shape}, 2);
    OQ_TRY(oq_strings_new(context, plan.count, &joined, err));
    // First the lengths, then all texts in one block.
    size_t total = 0;
    char *block = NULL;
    for (int pass = 0; pass < 2; pass++) {
        oq_broadcast_walk walk;
        if (pass && !(block = oq_scratch(context, total, err))) return ONNXQ_NO_MEMORY;
        for (oq_broadcast_begin(&walk, &plan, 0, plan.count); walk.run; oq_broadcast_next(&walk))
            for (size_t i = 0; i < walk.run; i++) {
                const size_t k = walk.offset[0] + i * plan.step[0], l = walk.offset[1] + i * plan.step[1];
                const size_t length = a.lengths[k] + b.lengths[l];
                if (!pass) {
                    joined.lengths[walk.at + i] = length;
                    if (!oq_add_size(total, length, &total))
                        return oq_fail(err, ONNXQ_NO_MEMORY, "StringConcat: the texts are too long");
                    continue;
                }
                memcpy(block, a.texts[k], a.lengths[k]);
                memcpy(block + a.lengths[k], b.texts[l], b.lengths[l]);
                joined.texts[walk.at + i] = block;
                block += length;
            }
    }
    return oq_strings_output(context, 0, &shape, &joined, err);
}

static const oq_type_set types_20[] = {{"T", OQ_T(STRING)}, {0}};

static const oq_op_version versions[] = {
    {.since = 20, .signature = "X:T, Y:T -> Z:T", .types = types_20, .infer = oq_infer_binary, .run = run},
};

OQ_ONNX_OP(StringConcat, versions);
