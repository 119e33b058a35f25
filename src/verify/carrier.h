// How values of the reference are carried in the second model: as floats of the same name, or as integers.
#ifndef OQ_VERIFY_CARRIER_H
#define OQ_VERIFY_CARRIER_H

#include "graph/graph.h"
#include "grid/layout.h"

// One value of the second model that stands for a value of the reference.
typedef struct oq_carrier {
    oq_value_id reference, model;
    int64_t more; // channels (of axis 1) behind those of the reference, which runtimes work faster with
    bool integer; // then with the members below
    oq_dtype dtype;
    oq_grid grid; // all integers of `dtype`
    int axis;     // of per-channel parameters
    size_t channels;
    oq_qparam *params; // [channels]
} oq_carrier;

typedef struct oq_carriers {
    oq_mem *mem;
    oq_carrier *items; // graph inputs first, then in the reference's topological order
    size_t count;
    int32_t *of; // [values of the second model] index of the item, or -1
} oq_carriers;

// Integers with constant scale and zero point stand for the value whose name their DequantizeLinear's output
// or their QuantizeLinear's input has, or whose name with "_quantized" is theirs. A float that only leads to
// or comes from such integers is not listed beside them.
oq_status oq_carriers_find(oq_mem *mem, oq_graph *reference, oq_graph *model, oq_carriers *out,
                           oq_error *err);
void oq_carriers_release(oq_carriers *carriers);

// The value without the channels that the reference does not have, and the reference's with zeros as such
// channels; a tensor that the caller releases.
oq_status oq_carrier_cut(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *from, oq_tensor *out,
                         oq_error *err);
oq_status oq_carrier_widen(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *from, oq_tensor *out,
                           oq_error *err);
// Integers as the floats that they stand for, without further channels, and floats of any type as such
// integers, with them; new tensors that the caller releases. BAD_MODEL when the shape does not fit the
// parameters.
oq_status oq_carrier_dequantize(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *q, oq_tensor *out,
                                oq_error *err);
oq_status oq_carrier_quantize(const oq_carrier *carrier, oq_mem *mem, const oq_tensor *x, oq_tensor *out,
                              oq_error *err);
// What the integers of one channel can stand for.
static inline double oq_carrier_low(const oq_carrier *c, size_t channel) {
    return (double)c->params[channel].scale * (c->grid.qmin - c->params[channel].zero_point);
}
static inline double oq_carrier_high(const oq_carrier *c, size_t channel) {
    return (double)c->params[channel].scale * (c->grid.qmax - c->params[channel].zero_point);
}

#endif
