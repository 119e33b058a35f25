// A convolution's shape brought to three spatial dimensions, and which algorithm computes it.
#ifndef OQ_KERNELS_GEOMETRY_H
#define OQ_KERNELS_GEOMETRY_H

#include "kernels/block.h"
#include "kernels/table.h"

#define OQ_PATCH_UNITS    6144 // of a depthwise tile's padded input: 24 KiB, which the first-level cache holds
#define OQ_DEPTHWISE_TAPS 64   // kernel positions, at most

typedef struct oq_geometry {
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3]; // missing leading dimensions are 1
    size_t taps, depth;                                               // kernel positions; k of one group
    size_t pixels_in, pixels_out, group_channels, group_filters;
    int spatial;
} oq_geometry;

OQ_INLINE oq_geometry oq_geometry_of(const oq_conv_shape *s) {
    oq_geometry g = {
        .in = {1, 1, 1}, .out = {1, 1, 1}, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
    g.spatial = s->spatial;
    g.taps = g.pixels_in = g.pixels_out = 1;
    for (int d = 0; d < s->spatial; d++) {
        const int to = 3 - s->spatial + d;
        g.in[to] = (int64_t)s->in[d];
        g.out[to] = (int64_t)s->out[d];
        g.kernel[to] = (int64_t)s->kernel[d];
        g.stride[to] = (int64_t)s->stride[d];
        g.dilation[to] = (int64_t)s->dilation[d];
        g.pad[to] = (int64_t)s->pad[d];
        g.taps *= s->kernel[d];
        g.pixels_in *= s->in[d];
        g.pixels_out *= s->out[d];
    }
    g.group_channels = s->groups ? s->channels / s->groups : 0;
    g.group_filters = s->groups ? s->filters / s->groups : 0;
    g.depth = g.taps * g.group_channels;
    return g;
}

// Leaves out innermost axes along which nothing moves, so that the innermost one is long: an image of one
// column is a line. The order of pixels and taps stays.
OQ_INLINE void oq_geometry_squeeze(oq_geometry *g) {
    for (int i = 0; i < 2 && g->in[2] == 1 && g->out[2] == 1 && g->kernel[2] == 1 && g->pad[2] == 0; i++) {
        int64_t *const lists[] = {g->in, g->out, g->kernel, g->stride, g->dilation, g->pad};
        for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
            lists[l][2] = lists[l][1];
            lists[l][1] = lists[l][0];
            lists[l][0] = l < 5; // 1, but no padding
        }
    }
}

// Units of one row of a depthwise patch for `columns` outputs: `stride` phases, so that every tap reads
// neighbouring units; one vector of slack for the last read.
OQ_INLINE int64_t oq_phase_pitch(const oq_geometry *g, int64_t columns) {
    return columns + (g->kernel[2] - 1) * g->dilation[2] / g->stride[2] + 1 + OQ_W;
}
OQ_INLINE int64_t oq_patch_rows(const oq_geometry *g, int64_t rows) {
    return (rows - 1) * g->stride[1] + (g->kernel[1] - 1) * g->dilation[1] + 1;
}

// One channel per group, at most two dimensions, and a patch for one vector of outputs fits. The image's size
// has no say: weights are packed before it is known.
OQ_INLINE bool oq_is_depthwise(const oq_geometry *g) {
    const int64_t limit = OQ_PATCH_UNITS;
    if (g->group_channels != 1 || g->spatial > 2 || g->taps > OQ_DEPTHWISE_TAPS) return false;
    if (g->stride[2] > limit || g->dilation[2] > limit || g->stride[1] > limit || g->dilation[1] > limit)
        return false;
    return oq_patch_rows(g, 1) * g->stride[2] * oq_phase_pitch(g, OQ_W) <= limit;
}

#endif
