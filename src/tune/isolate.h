// One layer alone quantized, cut out of the graph: what of a quantized clone differs from the float graph.
#ifndef OQ_TUNE_ISOLATE_H
#define OQ_TUNE_ISOLATE_H

#include "run/run.h"
#include "tune/quantize.h"

// The nodes of a clone that a plan has changed, as a program from the last float values before them to the
// first ones behind them. Ids of inputs and outputs hold in both graphs.
typedef struct oq_isolated {
    oq_model *clone;
    oq_program *program; // NULL: the plan changes nothing that is read
    const oq_value_id *inputs, *outputs;
    size_t input_count, output_count;
} oq_isolated;

// `q` with overrides that leave all layers but some float. Release also after a failure.
oq_status oq_isolate(const oq_quantization *q, oq_isolated *out, oq_error *err);
void oq_isolated_release(oq_isolated *isolated);

#endif
