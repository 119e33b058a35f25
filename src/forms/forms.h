// Rewrites between the forms of a graph that arrives quantized, with exactly the parameters that it holds:
// integer operators raised to float ones between DequantizeLinear and QuantizeLinear, those lowered to
// integer operators, and all quantization taken out. They need no data. Nodes inside bodies stay as they are.
#ifndef OQ_FORMS_FORMS_H
#define OQ_FORMS_FORMS_H

#include "passes/passes.h"
#include "quant/quant.h"

// A node that a rewrite would concern but that stays as it is. Texts live as long as the model.
typedef struct oq_form_left {
    const char *node, *op_type, *reason;
} oq_form_left;

typedef struct oq_forms {
    oq_mem *mem;
    size_t rewritten; // nodes that got their other form
    size_t moved;     // lowering: nodes that now move integers instead of floats
    size_t removed;   // dequantizing: nodes that only quantized or dequantized
    size_t clips;     // dequantizing: Relu and Clip nodes put where saturation did their work
    oq_form_left *left;
    size_t left_count, left_capacity;
} oq_forms;

// True when the main graph has an operator that makes, takes or computes on quantized integers.
bool oq_forms_is_quantized(const oq_graph *graph);
// The least opset of ai.onnx in which the operators that the rewrites write are defined.
enum { OQ_FORMS_OPSET = 13 };

// All of them want inferred types and leave a graph whose types are to be inferred again.
//
// QLinearConv, QLinearMatMul, MatMulInteger and ConvInteger with what scales their sums, and the 8-bit
// operators of com.microsoft, to DequantizeLinear, the float operator, QuantizeLinear. `foreign_only`: those
// of com.microsoft alone, where their parameters are constants.
oq_status oq_forms_raise(oq_graph *graph, bool foreign_only, oq_forms *out, oq_error *err);
// Conv, MatMul and Gemm on dequantized operands to QLinearConv, QLinearMatMul, MatMulInteger; Relu, Clip and
// a bias behind them go with them; operators that only move elements, between equal parameters, run on the
// integers. Weights that are quantized at run time become integers.
oq_status oq_forms_lower(oq_graph *graph, oq_forms *out, oq_error *err);
// The float graph of a raised one: constants dequantized, every QuantizeLinear and DequantizeLinear taken out
// that does not stand at an integer input or output of the model. Where saturation at a zero point may have
// stood for a Relu (or for a Clip to 0..6), that is put back.
oq_status oq_forms_dequantize(oq_graph *graph, oq_forms *out, oq_error *err);
void oq_forms_release(oq_forms *forms);

#endif
