// Scale and shift per channel, and products with constant weights that take them in: what the files that fold
// batch normalization share.
#ifndef OQ_PASSES_AFFINE_H
#define OQ_PASSES_AFFINE_H

#include "passes/passes.h"

// out = scale[c] * in + shift[c] over `count` channels, in double: each folded weight is rounded once.
typedef struct oq_affine {
    oq_mem *mem;
    size_t count;
    double *scale, *shift; // [count], one block
} oq_affine;

// Where the channels of a value are.
typedef struct oq_channels {
    size_t count;
    int axis, rank; // rank 0: not known, and the channels are the last axis
} oq_channels;

// A product with constant weights as input 1.
typedef struct oq_product {
    oq_graph *graph;
    oq_node *node;
    oq_tensor weight;
    oq_shape blocks;     // weight seen as [outer, groups, channels per group, inner]: output channels are the
                         // middle two
    bool by_outer_group; // ConvTranspose: the group follows from the outer index
    oq_channels out;     // of the output
} oq_product;

// The bias as the product adds it: [rows, channels] values, rows 1 except for a Gemm whose C is a matrix.
typedef struct oq_product_bias {
    bool foldable; // constant, or not there
    bool present;
    size_t rows;
    double *values; // block
    oq_shape shape;
} oq_product_bias;

oq_status oq_affine_new(oq_mem *mem, size_t count, oq_affine *out, oq_error *err);
void oq_affine_release(oq_affine *map);
bool oq_affine_shifts(const oq_affine *map); // by anything but 0 in some channel
// What a BatchNormalization, Mul, Add, Sub or Div does to `value`, one of its inputs; *found is false when it
// is no scale and shift per channel by constants. The caller releases *map in any case.
oq_status oq_affine_read(oq_graph *graph, const oq_node *node, oq_value_id value, const oq_channels *channels,
                         oq_affine *map, bool *found, oq_error *err);

bool oq_is_product(const oq_node *node); // Conv, ConvTranspose, Gemm or MatMul
// *found is false, and nothing is held, for products without constant weights of the usual form.
oq_status oq_product_load(oq_graph *graph, oq_node *node, oq_product *p, bool *found, oq_error *err);
// beta * C of a Gemm, or B of a convolution, spread over the channels. The caller frees `values`.
oq_status oq_product_load_bias(const oq_product *p, oq_product_bias *b, oq_error *err);
oq_status oq_product_put_bias(const oq_product *p, const oq_product_bias *b, oq_error *err);

// A constant float input of a node; *found says whether there is one.
oq_status oq_load_float_input(oq_graph *graph, const oq_node *node, size_t index, oq_tensor *out, bool *found,
                              oq_error *err);
// Gives input `index` of a node to a new constant, under the old one's name when nobody else uses that.
oq_status oq_swap_constant(oq_graph *graph, oq_node *node, size_t index, oq_tensor tensor, oq_error *err);
oq_status oq_tensor_of_f64(oq_graph *graph, oq_dtype dtype, const oq_shape *shape, const double *values,
                           oq_tensor *out, oq_error *err);

#endif
