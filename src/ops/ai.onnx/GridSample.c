// GridSample: an image of any number of axes read at the positions of a grid, with interpolation and padding.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

#include <math.h>
#include <string.h>

#define MAX_AXES 6   // spatial: cubic interpolation takes 4^axes elements
#define FAR      1e9 // positions beyond are taken for this far away

typedef enum mode { NEAREST, LINEAR, CUBIC } mode;
typedef enum padding { ZEROS, BORDER, REFLECTION } padding;

typedef struct sampler {
    int axes;
    int64_t size[MAX_AXES];
    mode mode;
    padding padding;
    bool align_corners;
    bool single; // positions are rounded to float32, as they are computed from a grid of at most that
} sampler;

static oq_status choose(const char *what, const char *text, const char *const *names, int count, int *out,
                        oq_error *err) {
    for (int i = 0; i < count; i++) {
        if (names[i] && strcmp(names[i], text) == 0) {
            *out = i % 3; // two spellings of each
            return ONNXQ_OK;
        }
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s of GridSample is '%s', which the standard does not know", what,
                   text);
}

static oq_status read_attributes(const oq_node *node, sampler *s, oq_error *err) {
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL, "bilinear", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    int chosen = 0;
    OQ_TRY(choose("mode", oq_node_string(node, "mode", "linear"), modes, 6, &chosen, err));
    s->mode = (mode)chosen;
    OQ_TRY(choose("padding_mode", oq_node_string(node, "padding_mode", "zeros"), paddings, 3, &chosen, err));
    s->padding = (padding)chosen;
    s->align_corners = oq_node_int(node, "align_corners", 0) != 0;
    return ONNXQ_OK;
}

static double reflect(double x, double low, double high) {
    const double range = high - low;
    if (!(range > 0)) return low;
    const double beyond = x < low ? low - x : x > high ? x - high : -1;
    if (beyond < 0) return x;
    const int64_t turns = (int64_t)(beyond / range);
    const double rest = beyond - (double)turns * range;
    return (turns % 2 == 0) == (x < low) ? low + rest : high - rest;
}

// Borders between which positions lie: the outer edges of the image, or the centres of its corner elements.
static void borders(const sampler *s, int axis, double *low, double *high) {
    *low = s->align_corners ? 0 : -0.5;
    *high = (double)s->size[axis] - (s->align_corners ? 1 : 0.5);
}

// A grid coordinate in [-1, 1] as a position in elements.
static double position(const sampler *s, int axis, double n) {
    const double size = (double)s->size[axis];
    double low = 0;
    double high = 0;
    if (n != n) n = -1;
    double x = s->align_corners ? (n + 1) / 2 * (size - 1) : ((n + 1) * size - 1) / 2;
    if (s->single) x = (double)(float)x;
    x = x > FAR ? FAR : x < -FAR ? -FAR : x;
    if (s->mode == NEAREST) x = rint(x);
    borders(s, axis, &low, &high);
    if (x >= low && x <= high) return x;
    if (s->padding == BORDER) return x < 0 ? 0 : size - 1;
    return s->padding == REFLECTION ? reflect(x, low, high) : x;
}

// The element for index `i` of an axis, or -1 for the zeros around.
static int64_t element(const sampler *s, int axis, int64_t i) {
    const int64_t last = s->size[axis] - 1;
    double low = 0;
    double high = 0;
    if (i >= 0 && i <= last) return i;
    if (s->padding == ZEROS) return -1;
    if (s->padding == BORDER) return i < 0 ? 0 : last;
    borders(s, axis, &low, &high);
    const int64_t at = (int64_t)reflect((double)i, low, high);
    return at < 0 ? 0 : at > last ? last : at;
}

// Indices and weights of one axis: 1, 2 or 4 of them. Cubic: Keys' kernel with a = -0.75.
static int taps(const sampler *s, int axis, double x, int64_t index[4], double weight[4]) {
    const double a = -0.75;
    const int64_t first = (int64_t)floor(x);
    const double t = x - (double)first;
    const int count = s->mode == NEAREST ? 1 : s->mode == LINEAR ? 2 : 4;
    const int64_t from = s->mode == CUBIC ? first - 1 : s->mode == NEAREST ? (int64_t)x : first;
    for (int i = 0; i < count; i++) index[i] = element(s, axis, from + i);
    if (s->mode == NEAREST) {
        weight[0] = 1;
    } else if (s->mode == LINEAR) {
        weight[0] = 1 - t;
        weight[1] = t;
    } else {
        const double u = 1 - t;
        weight[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
        weight[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
        weight[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
        weight[3] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;
    }
    return count;
}

// One value of one plane at a grid point, whose coordinates run from the last axis to the first.
static double sample(const sampler *s, const double *plane, const double *point) {
    int64_t index[MAX_AXES][4];
    double weight[MAX_AXES][4];
    int count[MAX_AXES];
    int at[MAX_AXES] = {0};
    double sum = 0;
    for (int axis = 0; axis < s->axes; axis++) {
        const double x = position(s, axis, point[s->axes - 1 - axis]);
        count[axis] = taps(s, axis, x, index[axis], weight[axis]);
    }
    for (int axis = 0; axis >= 0;) {
        int64_t offset = 0;
        double product = 1;
        for (int i = 0; i < s->axes; i++) {
            const int64_t k = index[i][at[i]];
            offset = k < 0 || offset < 0 ? -1 : offset * s->size[i] + k;
            product *= weight[i][at[i]];
        }
        if (offset >= 0) sum += product * plane[offset];
        for (axis = s->axes - 1; axis >= 0 && ++at[axis] == count[axis]; axis--) at[axis] = 0;
    }
    return sum;
}

static oq_status read_shapes(const oq_tensor *x, const oq_tensor *grid, sampler *s, oq_shape *out,
                             oq_error *err) {
    const int rank = x->shape.rank;
    s->axes = rank - 2;
    if (rank < 3 || s->axes > MAX_AXES || grid->shape.rank != rank || grid->shape.dim[0] != x->shape.dim[0] ||
        grid->shape.dim[rank - 1] != s->axes) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "input (rank %d) and grid (rank %d) of GridSample do not fit each other, or have more than %d "
            "spatial axes",
            rank, grid->shape.rank, MAX_AXES);
    }
    *out = x->shape;
    for (int i = 0; i < s->axes; i++) {
        s->size[i] = x->shape.dim[2 + i];
        out->dim[2 + i] = grid->shape.dim[1 + i];
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *grid = oq_in(context, 1);
    sampler s = {.single = grid->dtype != ONNXQ_DOUBLE};
    oq_shape shape;
    if (oq_work_of(x->dtype) == OQ_WORK_NONE) return oq_no_loop(context, x->dtype, err);
    OQ_TRY(read_attributes(context->node, &s, err));
    OQ_TRY(read_shapes(x, grid, &s, &shape, err));
    const void *values = NULL;
    const void *points = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F64, &values, err));
    OQ_TRY(oq_array_in(context, grid, OQ_WORK_F64, &points, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &shape, OQ_WORK_F64, &y, err));
    const int64_t places = oq_shape_range_count(&shape, 2, shape.rank);
    const int64_t image = oq_shape_range_count(&x->shape, 2, x->shape.rank);
    if (!image && oq_shape_count(&shape))
        return oq_fail(err, ONNXQ_BAD_MODEL, "GridSample of an empty image");
    for (int64_t i = 0; i < oq_shape_count(&shape); i++) {
        const int64_t plane = i / places;
        const int64_t point = plane / shape.dim[1] * places + i % places;
        ((double *)y.data)[i] =
            sample(&s, (const double *)values + plane * image, (const double *)points + point * s.axes);
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    const oq_type *grid = oq_infer_in(context, 1);
    (void)err;
    if (!x) return ONNXQ_OK;
    oq_type out = oq_type_tensor(x->dtype, x->rank, NULL);
    if (x->rank > 2) {
        out.dim[0] = x->dim[0];
        out.dim[1] = x->dim[1];
        for (int i = 2; i < x->rank && grid && grid->rank == x->rank; i++) out.dim[i] = grid->dim[i - 1];
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

// The modes lost their "bi" when more than two axes became possible.
static oq_status upgrade_20(oq_upgrade_context *context, oq_error *err) {
    const char *text = oq_node_string(context->node, "mode", "bilinear");
    if (strncmp(text, "bi", 2) != 0) return ONNXQ_OK;
    return oq_node_set_string(context->graph, context->node, "mode", text + 2, err);
}

static const oq_type_set types_16[] = {{"T1", OQ_T_ALL1}, {"T2", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T1", OQ_T_ALL13}, {"T2", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {{"align_corners", OQ_ATTR_INT, false},
                                     {"mode", OQ_ATTR_STRING, false},
                                     {"padding_mode", OQ_ATTR_STRING, false},
                                     {0}};

#define RUNS .signature = "X:T1, grid:T2 -> Y:T1", .attrs = attrs, .infer = infer, .run = run
static const oq_op_version versions[] = {
    {.since = 16, .types = types_16, RUNS},
    {.since = 20, .types = types_16, .upgrade = upgrade_20, RUNS},
    {.since = 22, .types = types_22, RUNS},
};
OQ_ONNX_OP(GridSample, versions);
