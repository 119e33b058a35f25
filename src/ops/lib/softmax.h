// Softmax, LogSoftmax and Hardmax along one axis, or over all axes from one on as they were before opset 13.
#ifndef OQ_OPS_LIB_SOFTMAX_H
#define OQ_OPS_LIB_SOFTMAX_H

#include "ops/lib/axes.h"
#include "ops/lib/elementwise.h"

typedef enum oq_softmax_kind { OQ_SOFTMAX, OQ_LOG_SOFTMAX, OQ_HARDMAX } oq_softmax_kind;

// exp(x - max) / sum, x - max - log(sum), or 1 at the first greatest element and 0 elsewhere. Sums: along the
// last axis 16 partial sums, along others one after the other.
oq_status oq_softmax_run(oq_run_context *context, oq_softmax_kind kind, oq_error *err);
// The same from `x` to `y` (elements of `dtype`; y may be x), along the middle of `view`.
oq_status oq_softmax_apply(oq_run_context *context, oq_softmax_kind kind, oq_dtype dtype, oq_axis_view view,
                           const void *x, void *y, oq_error *err);
// Version 13: where the old form went over several axes, Flatten and Reshape around the node keep its
// meaning.
oq_status oq_upgrade_softmax(oq_upgrade_context *context, oq_error *err);
// The version table of all three.
#define OQ_VERSIONS_SOFTMAX                                                                                  \
    {.since = 1,                                                                                             \
     .signature = "input:T -> output:T",                                                                     \
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                                 \
     .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}),                                                        \
     .infer = oq_infer_unary,                                                                                \
     .run = run},                                                                                            \
        {.since = 11,                                                                                        \
         .signature = "input:T -> output:T",                                                                 \
         .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                             \
         .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}),                                                    \
         .infer = oq_infer_unary,                                                                            \
         .run = run},                                                                                        \
    {                                                                                                        \
        .since = 13, .signature = "input:T -> output:T", .types = OQ_TYPES({"T", OQ_T_FLOATS4}),             \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}), .infer = oq_infer_unary, .run = run,                \
        .upgrade = oq_upgrade_softmax                                                                        \
    }

#endif
