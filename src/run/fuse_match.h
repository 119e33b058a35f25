// What an integer group is recognised by: its operands with scales and zero points.
#ifndef OQ_RUN_FUSE_MATCH_H
#define OQ_RUN_FUSE_MATCH_H

#include "run/fuse.h"

// One operand or the result: integers with the scale and zero point that make them numbers.
typedef struct oq_dequantized {
    oq_value_id id, scale_id, zero_id; // zero_id OQ_NONE: left out; id OQ_NONE: there is no such operand
    oq_dtype dtype;                    // of the integers as kernels see them: byte-wide
    const oq_constant *scale;          // float32, of rank 0 or 1
    const oq_constant *constant;       // the integers, when they are constant; may be 4- or 2-bit ones
    int axis;                          // of the scale when it has several elements, else -1
} oq_dequantized;

// Scale and zero point of a QuantizeLinear or DequantizeLinear: constants, float32, of rank 0 or 1; false
// when they are something else. `dtype` is set when there is a zero point.
bool oq_parameters_read(oq_dequantized *d, oq_graph *graph, const oq_node *node);
// The integers behind a float value; false when no DequantizeLinear with such parameters gives it.
bool oq_dequantized_read(oq_dequantized *d, oq_graph *graph, oq_value_id value);
// Bounds that a Relu or Clip (of any opset) clamps to; false when the node is neither, or they are no
// constants.
bool oq_clamp_read(oq_graph *graph, const oq_node *node, float *low, float *high);

typedef struct oq_match {
    const oq_node *op; // Conv, MatMul, Gemm
    bool quantized;    // QuantizeLinear follows, perhaps behind a Relu or Clip that it makes redundant
    bool transposed;   // B is [N, K]
    oq_dequantized a, b, bias, y;
} oq_match;

// Sets op, quantized and y from the node that ends a group; false when it ends none.
bool oq_match_end(oq_match *m, oq_graph *graph, const oq_node *node);
// Reads the operands of each kind of product; false when they do not fit the integer kernel.
bool oq_match_conv(oq_match *m, oq_graph *graph);
bool oq_match_matmul(oq_match *m, oq_graph *graph);
bool oq_match_gemm(oq_match *m, oq_graph *graph);

// Scaling of the sums [.., N] of MatMulInteger: a_scale, b_scale (one or [N]), bias? (int32 [N]), y_scale?,
// y_zero? -> float32, or 8-bit integers when y_scale is given.
extern const oq_op_version oq_scale_sums;

#endif
