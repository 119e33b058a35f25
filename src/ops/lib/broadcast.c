// Walking over broadcast operands: axes collapsed first, then rows in which every operand steps by 0 or 1.
#include "ops/lib/broadcast.h"

#include <string.h>

// True when axis `axis` of the output can be joined to the collapsed axis `last` before it: every operand
// walks through both with one stride.
static bool joins(const oq_broadcast *plan, int last, size_t dim,
                  size_t strides[OQ_BROADCAST_MAX][OQ_MAX_RANK], int axis) {
    for (int k = 0; k < plan->operands; k++)
        if (plan->stride[k][last] != strides[k][axis] * dim) return false;
    return true;
}

void oq_broadcast_plan(oq_broadcast *plan, const oq_shape *out, const oq_shape *const *operands, int count) {
    size_t strides[OQ_BROADCAST_MAX][OQ_MAX_RANK] = {{0}};
    *plan = (oq_broadcast){.operands = count, .count = (size_t)oq_shape_count(out)};
    for (int k = 0; k < count; k++) {
        int64_t wide[OQ_MAX_RANK];
        oq_broadcast_strides(operands[k], out, wide);
        for (int axis = 0; axis < out->rank; axis++) strides[k][axis] = (size_t)wide[axis];
        plan->whole[k] = oq_shape_count(operands[k]) == oq_shape_count(out);
    }
    for (int axis = 0; axis < out->rank; axis++) {
        const size_t dim = (size_t)out->dim[axis];
        if (dim == 1) continue;
        if (plan->rank == 0 || !joins(plan, plan->rank - 1, dim, strides, axis)) {
            plan->dim[plan->rank++] = dim;
        } else {
            plan->dim[plan->rank - 1] *= dim;
        }
        for (int k = 0; k < count; k++) plan->stride[k][plan->rank - 1] = strides[k][axis];
    }
    if (plan->rank == 0) plan->dim[plan->rank++] = 1;
    plan->row = plan->dim[plan->rank - 1];
    for (int k = 0; k < count; k++) plan->step[k] = plan->stride[k][plan->rank - 1];
}

static void set_run(oq_broadcast_walk *walk, size_t column) {
    walk->run = oq_min_size(walk->plan->row - column, walk->end - walk->at);
}

void oq_broadcast_begin(oq_broadcast_walk *walk, const oq_broadcast *plan, size_t from, size_t to) {
    walk->plan = plan;
    walk->at = from;
    walk->end = to;
    walk->run = 0;
    if (from >= to) return;
    for (int k = 0; k < plan->operands; k++) walk->offset[k] = 0;
    size_t rest = from;
    for (int axis = plan->rank - 1; axis >= 0; axis--) {
        walk->index[axis] = rest % plan->dim[axis];
        rest /= plan->dim[axis];
        for (int k = 0; k < plan->operands; k++) walk->offset[k] += walk->index[axis] * plan->stride[k][axis];
    }
    set_run(walk, walk->index[plan->rank - 1]);
}

void oq_broadcast_next(oq_broadcast_walk *walk) {
    const oq_broadcast *const plan = walk->plan;
    walk->at += walk->run;
    if (walk->at >= walk->end) {
        walk->run = 0;
        return;
    }
    // The row is done: back to its first column, then one further along the axes outside.
    int axis = plan->rank - 1;
    for (int k = 0; k < plan->operands; k++) walk->offset[k] -= walk->index[axis] * plan->stride[k][axis];
    walk->index[axis] = 0;
    for (axis--; axis >= 0; axis--) {
        for (int k = 0; k < plan->operands; k++) walk->offset[k] += plan->stride[k][axis];
        if (++walk->index[axis] < plan->dim[axis]) break;
        for (int k = 0; k < plan->operands; k++) walk->offset[k] -= plan->dim[axis] * plan->stride[k][axis];
        walk->index[axis] = 0;
    }
    set_run(walk, 0);
}

// `n` copies of one element of `bytes` bytes, by doubling what is there already.
static void splat(const void *from, void *into, size_t n, size_t bytes) {
    const size_t total = n * bytes;
    memcpy(into, from, bytes);
    for (size_t done = bytes; done < total;) {
        const size_t more = oq_min_size(done, total - done);
        memcpy((unsigned char *)into + done, into, more);
        done += more;
    }
}

const void *oq_broadcast_gather(const oq_broadcast *plan, int k, const void *data, size_t element_bytes,
                                size_t at, size_t n, void *buffer) {
    if (plan->whole[k]) return oq_at(data, at, element_bytes);
    oq_broadcast_walk walk;
    for (oq_broadcast_begin(&walk, plan, at, at + n); walk.run; oq_broadcast_next(&walk)) {
        const void *const from = oq_at(data, walk.offset[k], element_bytes);
        void *const into = oq_at_mutable(buffer, walk.at - at, element_bytes);
        if (plan->step[k])
            memcpy(into, from, walk.run * element_bytes);
        else
            splat(from, into, walk.run, element_bytes);
    }
    return buffer;
}
