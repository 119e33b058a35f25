// Positions of extremes along an axis (ArgMax, ArgMin).
#ifndef OQ_OPS_LIB_ARG_H
#define OQ_OPS_LIB_ARG_H

#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

// Output 0 (int64) = index along `axis` of the first element (the last with select_last_index) that no other
// one beats. `beats` is a relation loop: true where a is strictly better than b. NaN beats every number.
oq_status oq_arg_run(oq_run_context *context, const oq_binary *beats, oq_error *err);
oq_status oq_infer_arg(oq_infer_context *context, oq_error *err);
// The version table of both.
#define OQ_VERSIONS_ARG                                                                                      \
    {.since = 1,                                                                                             \
     .signature = "data:T -> reduced:int64",                                                                 \
     .types = OQ_TYPES({"T", OQ_T_NUMERIC3}),                                                                \
     .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"keepdims", OQ_ATTR_INT, false}),                      \
     .infer = oq_infer_arg,                                                                                  \
     .run = run},                                                                                            \
        {.since = 11,                                                                                        \
         .signature = "data:T -> reduced:int64",                                                             \
         .types = OQ_TYPES({"T", OQ_T_NUMERIC3}),                                                            \
         .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"keepdims", OQ_ATTR_INT, false}),                  \
         .infer = oq_infer_arg,                                                                              \
         .run = run},                                                                                        \
        {.since = 12,                                                                                        \
         .signature = "data:T -> reduced:int64",                                                             \
         .types = OQ_TYPES({"T", OQ_T_NUMERIC3}),                                                            \
         .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"keepdims", OQ_ATTR_INT, false},                   \
                           {"select_last_index", OQ_ATTR_INT, false}),                                       \
         .infer = oq_infer_arg,                                                                              \
         .run = run},                                                                                        \
    {                                                                                                        \
        .since = 13, .signature = "data:T -> reduced:int64", .types = OQ_TYPES({"T", OQ_T_NUMERIC4}),        \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"keepdims", OQ_ATTR_INT, false},                    \
                          {"select_last_index", OQ_ATTR_INT, false}),                                        \
        .infer = oq_infer_arg, .run = run                                                                    \
    }

#endif
