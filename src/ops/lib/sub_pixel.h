// ConvTranspose as a convolution that gives, for each place of its input, all places of the output up to the
// next one as channels of its own (Shi et al., Real-Time Single Image and Video Super-Resolution Using an
// Efficient Sub-Pixel Convolutional Neural Network, 2016).
#ifndef OQ_OPS_LIB_SUB_PIXEL_H
#define OQ_OPS_LIB_SUB_PIXEL_H

#include "ops/ops.h"

// Output row stride * p + i, before pads are cut off, sums over taps d = 0 .. taps - 1 of input row p - d
// times kernel row stride * d + i, which is 0 from `kernel` on; columns likewise. p runs to input rows + taps
// - 1.
typedef struct oq_sub_pixel {
    int64_t channels, filters; // of input and output
    int64_t stride[2], kernel[2], taps[2];
    int64_t cut_begin[2], cut_end[2]; // rows and columns of all these that are no output
} oq_sub_pixel;

// False for nodes that are no such convolution of images: groups, dilations, automatic pads, a stride of 1,
// weights or bias that are not constant float32, or more than twice the multiplications.
bool oq_sub_pixel_read(oq_graph *graph, const oq_node *node, oq_sub_pixel *out);
// Weights [channels, filters, kernel] as those of the convolution, [stride[0] * stride[1] * filters,
// channels, taps].
void oq_sub_pixel_weights(const oq_sub_pixel *s, const float *from, float *to);

#endif
