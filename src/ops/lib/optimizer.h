// One step of an optimizer for any number of tensors: what Adagrad, Adam and Momentum share.
#ifndef OQ_OPS_LIB_OPTIMIZER_H
#define OQ_OPS_LIB_OPTIMIZER_H

#include "ops/lib/schema.h"
#include "ops/lib/work.h"

#define OQ_OPTIMIZER_STATES 2

// What the formula of one element sees: the attributes are its own affair.
typedef struct oq_optimizer_step {
    double rate, count; // R and T
    const void *self;
} oq_optimizer_step;

// x and the states s[0], s[1] of one element go from old to new values by gradient g.
typedef void (*oq_optimizer_formula)(const oq_optimizer_step *step, double g, double *x, double *s);

// Inputs: R, T, then all x, all gradients, all first states (then all second ones); outputs: new x, new
// states. All in double, rounded at the end.
oq_status oq_optimizer_run(oq_run_context *context, size_t states, oq_optimizer_formula formula,
                           const void *self, oq_error *err);
oq_status oq_infer_optimizer(oq_infer_context *context, size_t states, oq_error *err);

#define OQ_OPTIMIZER_SIGNATURE "R:T1, T:T2, inputs+~:T3 -> outputs+~:T3"
#define OQ_OPTIMIZER_TYPES                                                                                   \
    OQ_TYPES({"T1", OQ_T_FLOAT32 | OQ_T(DOUBLE)}, {"T2", OQ_T(INT64)}, {"T3", OQ_T_FLOAT32 | OQ_T(DOUBLE)})

#endif
