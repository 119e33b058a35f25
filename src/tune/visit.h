// One product on its way through the lockstep.
#ifndef OQ_TUNE_VISIT_H
#define OQ_TUNE_VISIT_H

#include "tune/lockstep.h"

// What the layer of a part gives for the samples [from, from + count), first before its clip, then, clipped
// and on its grid, as outputs of the part.
typedef struct oq_visit {
    oq_lockstep *l;
    oq_lockstep_runner runner;
    const oq_lockstep_part *part;
    const oq_layer *layer;
    size_t from, count;
    oq_value weight[OQ_STREAMS]; // of the constant operand, if there is one
    oq_value *sums;              // [count][OQ_STREAMS] with the float model's bias
    float *shift;                // [channels] what the plan has changed of that bias; NULL: it gives none
    size_t channels;
} oq_visit;

// Reads the layer as the plan has it now: nothing but its bias may change until oq_visit_finish.
oq_status oq_visit_begin(oq_visit *v, oq_lockstep *l, const oq_lockstep_part *part, size_t from, size_t count,
                         oq_error *err);
void oq_visit_end(oq_visit *v);
// Fills `sums`; what the samples need no more is given up.
oq_status oq_visit_compute(oq_visit *v, oq_error *err);
// Adds the plan's bias to the quantized stream, clips, rounds, and hands the sums over to the lockstep.
oq_status oq_visit_finish(oq_visit *v, oq_error *err);

static inline const oq_tensor *oq_visit_sum(const oq_visit *v, size_t sample, int stream) {
    return &v->sums[(sample - v->from) * OQ_STREAMS + (size_t)stream].tensor;
}
// A sum as [outer, channels, inner]: convolutions [N, C, ...], matrices [..., C]. False when it is not of
// that form.
bool oq_visit_view(const oq_visit *v, const oq_tensor *sum, size_t *outer, size_t *inner);

#endif
