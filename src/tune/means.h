// What a product's mean error is, from the means of its input: nothing is multiplied sample by sample.
#ifndef OQ_TUNE_MEANS_H
#define OQ_TUNE_MEANS_H

#include "tune/lockstep.h"

// shift[c], [oq_plan_bias_count]: the mean over the lockstep's samples and all positions of what the layer of
// the part gives in channel c in the float stream, less that in the other, for the integers and without the
// biases that the plan has now: W E[x] - W^ E[x^]. *known is false where the layer's constant operand is no
// matrix with a row for each channel. The same for any number of threads.
oq_status oq_mean_errors(oq_lockstep *l, const oq_lockstep_part *part, float *shift, bool *known,
                         oq_error *err);

#endif
