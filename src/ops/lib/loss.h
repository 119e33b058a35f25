// Losses of classification: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
#ifndef OQ_OPS_LIB_LOSS_H
#define OQ_OPS_LIB_LOSS_H

#include "ops/lib/softmax.h"

// Output 0 from `scores` [N, C, d...] (log-probabilities), the labels of input 1 [N, d...] and the class
// weights of input 2 [C], reduced as the attributes reduction and ignore_index say. Sums are in double.
oq_status oq_loss_run(oq_run_context *context, const oq_tensor *scores, oq_error *err);
// Output 0: the shape of the labels when nothing is reduced, else a scalar.
oq_status oq_infer_loss(oq_infer_context *context, oq_error *err);

#endif
