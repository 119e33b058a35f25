// ConvTranspose as a convolution: which can be written so, and the weights.
#include "ops/lib/sub_pixel.h"

#include "ops/lib/window.h"

// Kernels that are no multiple of the stride are filled up with zeros.
#define MOST_WORK 2.0

static bool is_constant(oq_graph *graph, const oq_node *node, size_t input, const oq_constant **out) {
    *out = input < node->input_count && node->inputs[input] != OQ_NONE
               ? oq_graph_constant(graph, node->inputs[input])
               : NULL;
    return *out && (*out)->dtype == ONNXQ_FLOAT;
}

static bool read_axis(const oq_node *node, const oq_window *window, int axis, oq_sub_pixel *s) {
    size_t count;
    const int64_t *extra = oq_node_ints(node, "output_padding", &count), stride = window->stride[axis],
                  kernel = window->kernel[axis];
    s->stride[axis] = stride;
    s->kernel[axis] = kernel;
    s->taps[axis] = (kernel + stride - 1) / stride;
    s->cut_begin[axis] = window->pad_begin[axis];
    s->cut_end[axis] =
        stride * s->taps[axis] - kernel + window->pad_end[axis] - (count > (size_t)axis ? extra[axis] : 0);
    return window->dilation[axis] == 1 && s->cut_begin[axis] >= 0 && s->cut_end[axis] >= 0;
}

bool oq_sub_pixel_read(oq_graph *graph, const oq_node *node, oq_sub_pixel *out) {
    const oq_constant *weight, *bias;
    oq_window window;
    *out = (oq_sub_pixel){0};
    if (!oq_node_is(node, "ConvTranspose") || !is_constant(graph, node, 1, &weight) ||
        weight->shape.rank != 4 || oq_node_int(node, "group", 1) != 1 || oq_node_attr(node, "output_shape"))
        return false;
    if (node->input_count > 2 && node->inputs[2] != OQ_NONE && !is_constant(graph, node, 2, &bias))
        return false;
    if (oq_window_read(node, 2, &weight->shape.dim[2], &window, NULL) != ONNXQ_OK ||
        window.auto_pad != OQ_PAD_NOTSET)
        return false;
    out->channels = weight->shape.dim[0], out->filters = weight->shape.dim[1];
    if (!read_axis(node, &window, 0, out) || !read_axis(node, &window, 1, out)) return false;
    const double work = (double)(out->stride[0] * out->taps[0]) * (double)(out->stride[1] * out->taps[1]);
    return out->stride[0] * out->stride[1] > 1 &&
           work <= MOST_WORK * (double)out->kernel[0] * (double)out->kernel[1];
}

// The kernel's element of one tap at one place between; 0 behind its end.
static float element(const oq_sub_pixel *s, const float *plane, const int64_t *place, const int64_t *tap) {
    int64_t at[2];
    for (int axis = 0; axis < 2; axis++) {
        at[axis] = s->stride[axis] * (s->taps[axis] - 1 - tap[axis]) + place[axis];
        if (at[axis] >= s->kernel[axis]) return 0;
    }
    return plane[at[0] * s->kernel[1] + at[1]];
}

void oq_sub_pixel_weights(const oq_sub_pixel *s, const float *from, float *to) {
    const int64_t outputs = s->stride[0] * s->stride[1] * s->filters, plane = s->kernel[0] * s->kernel[1];
    for (int64_t o = 0; o < outputs; o++) {
        const int64_t filter = o % s->filters, between = o / s->filters,
                      place[2] = {between / s->stride[1], between % s->stride[1]};
        for (int64_t c = 0; c < s->channels; c++)
            for (int64_t t = 0; t < s->taps[0]; t++)
                for (int64_t u = 0; u < s->taps[1]; u++)
                    *to++ = element(s, from + (c * s->filters + filter) * plane, place, (int64_t[]){t, u});
    }
}
