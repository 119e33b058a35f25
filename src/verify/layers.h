// Errors layer by layer: values that both models have, as they come, and as they arise when a layer alone is
// run on the reference's values.
#ifndef OQ_VERIFY_LAYERS_H
#define OQ_VERIFY_LAYERS_H

#include "stats/stats.h"
#include "verify/carrier.h"
#include "verify/verify.h"

typedef struct oq_layer oq_layer;
typedef struct oq_layer_sample oq_layer_sample; // what one sample adds to one layer

typedef struct oq_layers {
    oq_mem *mem;
    oq_graph *reference, *model;
    const oq_dataset *data;
    bool *in_reference, *in_model; // which values to observe, by id; NULL when layers are not asked for
    oq_carriers carriers;
    oq_layer *items; // [carriers.count]
    size_t threads, samples;
    bool saturate_pairs;      // in the second model
    oq_layer_sample *results; // [samples][carriers.count]
    oq_stats **stats;         // [threads] of the reference's values
} oq_layers;

// Finds the layers and makes a program of each. `threads` workers may observe at a time.
oq_status oq_layers_init(oq_layers *layers, oq_mem *mem, oq_graph *reference, oq_graph *model,
                         const oq_dataset *data, size_t samples, bool saturate_pairs, size_t threads,
                         oq_error *err);
void oq_layers_release(oq_layers *layers);

// One sample in flight: the reference's values are kept until the end.
typedef struct oq_layers_sample {
    oq_layers *layers;
    size_t index, data_index, worker; // number among the compared, run of the data set
    oq_value *seen;                   // by value id of the reference
    oq_observer reference, model;
} oq_layers_sample;

oq_status oq_layers_begin(oq_layers *layers, size_t index, size_t data_index, size_t worker,
                          oq_layers_sample *out, oq_error *err);
// Observers for the two runs of the sample, or NULL when layers are not asked for.
const oq_observer *oq_layers_observe_reference(oq_layers_sample *sample);
const oq_observer *oq_layers_observe_model(oq_layers_sample *sample);
// Runs each layer of the second model alone on the reference's values, and of the reference on the same.
oq_status oq_layers_arising(oq_layers_sample *sample, oq_error *err);
void oq_layers_end(oq_layers_sample *sample);

oq_status oq_layers_combine(const oq_layers *layers, oq_layer_difference **out, size_t *count, oq_error *err);

#endif
