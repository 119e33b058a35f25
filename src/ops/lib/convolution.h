// What Conv, QLinearConv and ConvInteger share: geometry, inference, and the kernel's own description.
#ifndef OQ_OPS_LIB_CONVOLUTION_H
#define OQ_OPS_LIB_CONVOLUTION_H

#include "kernels/conv.h"
#include "ops/lib/window.h"

// x [images, channels, in...], w [filters, channels/groups, kernel...], y [images, filters, out...].
typedef struct oq_convolution {
    oq_window window;
    size_t images, groups, channels, filters;
    size_t in_image, out_image; // elements of all channels of one image of x and y
    size_t patch;               // elements of one filter: channels/groups * kernel
    oq_shape out;
} oq_convolution;

// From the node and the shapes of x and w; everything is checked.
oq_status oq_convolution_plan(const oq_node *node, const oq_shape *x, const oq_shape *w, oq_convolution *out,
                              oq_error *err);
// The part of it that a constant weight alone gives: enough to pack it. *fits is false when the weight has
// more spatial axes than the packed kernels take, or none.
oq_status oq_convolution_of_weight(const oq_node *node, const oq_shape *w, oq_conv_shape *out, bool *fits,
                                   oq_error *err);
// The kernel's description; false when there are more spatial axes than it takes.
bool oq_convolution_shape(const oq_convolution *c, oq_conv_shape *out);

// Inference with x at input `x` and the weight at input `w`; the output's element type is `dtype`.
oq_status oq_convolution_infer(oq_infer_context *context, size_t x, size_t w, oq_dtype dtype, oq_error *err);
uint64_t oq_convolution_macs(const oq_graph *graph, const oq_node *node, size_t w);

#endif
