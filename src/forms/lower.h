// Lowering's inside: products on dequantized operands, recognised and written.
#ifndef OQ_FORMS_LOWER_H
#define OQ_FORMS_LOWER_H

#include "forms/build.h"
#include "run/fuse_match.h"

// One factor: integers behind DequantizeLinear, perhaps transposed afterwards.
typedef struct oq_lower_factor {
    oq_dequantized d;
    const oq_node *transpose; // or NULL
    bool swapped;             // Gemm: the last two axes change places
} oq_lower_factor;

typedef struct oq_lower_product {
    oq_node *op; // Conv, MatMul, Gemm
    oq_lower_factor factor[2];
    oq_value_id addend; // B of Conv, C of Gemm, or OQ_NONE
    // What goes with it when the result is requantized; NULL: not there.
    oq_node *clip, *quantize;
    float low, high;
    oq_dequantized y; // parameters of the result
} oq_lower_product;

// lower_match.c: reads what stands around a product; *reason is set when it must stay.
void oq_lower_match(oq_graph *graph, oq_node *op, oq_lower_product *out, const char **reason);
// Axis of a factor's parameters behind its transpositions, counted from the end; 0 for one parameter.
int oq_lower_axis(const oq_lower_factor *factor);
// True when a zero point is not 0, or cannot be read.
bool oq_lower_has_zero_points(oq_graph *graph, const oq_dequantized *d);

// lower_write.c: writes it as integer operators; *reason as above, then nothing was changed.
oq_status oq_lower_write(oq_graph *graph, const oq_lower_product *product, const char **reason,
                         oq_error *err);
// lower_bias.c: the int32 bias of a convolution (OQ_NONE without addend).
oq_status oq_lower_bias(oq_graph *graph, const oq_lower_product *product, oq_value_id *out,
                        const char **reason, oq_error *err);

// lower_moves.c: lets a node that only moves elements run on integers when its inputs and outputs have the
// same parameters.
oq_status oq_lower_move(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err);

#endif
