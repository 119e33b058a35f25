// Sliding windows of convolutions and pools: attributes, padding, output sizes, and their inference.
#ifndef OQ_OPS_LIB_WINDOW_H
#define OQ_OPS_LIB_WINDOW_H

#include "ops/ops.h"

#define OQ_WINDOW_MAX (OQ_MAX_RANK - 2) // spatial axes

typedef enum oq_auto_pad { OQ_PAD_NOTSET, OQ_PAD_VALID, OQ_PAD_SAME_UPPER, OQ_PAD_SAME_LOWER } oq_auto_pad;

// One window over `spatial` axes; sizes in elements. `pad_begin` and `pad_end` are those of the attribute
// until oq_window_place has made them those in effect.
typedef struct oq_window {
    int spatial;
    oq_auto_pad auto_pad;
    bool ceil; // ceil_mode
    int64_t kernel[OQ_WINDOW_MAX], stride[OQ_WINDOW_MAX], dilation[OQ_WINDOW_MAX];
    int64_t pad_begin[OQ_WINDOW_MAX], pad_end[OQ_WINDOW_MAX];
    int64_t in[OQ_WINDOW_MAX], out[OQ_WINDOW_MAX];
} oq_window;

// Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode for `spatial` axes and checks them.
// `kernel` (from the weight's shape, or NULL) stands in for kernel_shape and must agree with it.
oq_status oq_window_read(const oq_node *node, int spatial, const int64_t *kernel, oq_window *out,
                         oq_error *err);
// Fills in, out and the pads in effect for an image of these spatial sizes.
oq_status oq_window_place(oq_window *window, const int64_t *in, oq_error *err);
// The size along `axis` of the output of an input of static size `in`, as far as it is known: a named size
// stays named when the window keeps it.
oq_status oq_window_infer(const oq_window *window, int axis, oq_dim in, oq_dim *out, oq_error *err);

// A run of output places whose window has one and the same cell inside the image: places y, y + 1, .. and
// elements x, x + x_stride, .. of one channel.
typedef struct oq_window_span {
    size_t y, x, x_stride, count;
} oq_window_span;
// Visits all spans of a placed window: row by row of the output, and in each row cell by cell of the kernel.
void oq_window_spans(const oq_window *window, void (*visit)(void *self, const oq_window_span *span),
                     void *self);

// Inference for pools: x is input 0, output 0 has its dtype, images and channels.
oq_status oq_window_infer_pool(oq_infer_context *context, oq_error *err);
// The same for an x of type [images, channels, in...] that is no input of the node as it is.
oq_status oq_window_pool_type(const oq_node *node, const oq_type *x, oq_type *out, oq_error *err);
// Window of a pool placed over an image of this shape, and the shape of its output.
oq_status oq_window_plan_pool(const oq_node *node, const oq_shape *x, oq_window *window, oq_shape *out,
                              oq_error *err);
// Elements of one channel's image, before and after.
size_t oq_window_in_plane(const oq_window *window);
size_t oq_window_out_plane(const oq_window *window);
// Cells of one window (product of the kernel's sizes).
int64_t oq_window_cells(const oq_window *window);

// The attributes of all convolutions, for version tables.
#define OQ_CONVOLUTION_ATTRS                                                                                 \
    {"auto_pad", OQ_ATTR_STRING, false}, {"dilations", OQ_ATTR_INTS, false}, {"group", OQ_ATTR_INT, false},  \
        {"kernel_shape", OQ_ATTR_INTS, false}, {"pads", OQ_ATTR_INTS, false}, {                              \
        "strides", OQ_ATTR_INTS, false                                                                       \
    }

#endif
