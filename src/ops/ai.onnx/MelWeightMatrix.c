// MelWeightMatrix: triangles that gather the bins of a spectrum into bands of equal width in mel.
#include "ops/lib/convert.h"
#include "ops/lib/infer.h"

#include <math.h>

enum { INPUTS = 5 }; // mel bins, length of the transform, sample rate, lower and upper edge in hertz

static double mel_of_hertz(double hertz) { return 2595 * log1p(hertz / 700) / log(10); }
static double hertz_of_mel(double mel) { return 700 * expm1(mel / 2595 * log(10)); }

typedef struct bands {
    int64_t bins, length, rate; // of mel, of the transform, per second
    double low, step;           // mel
} bands;

// The bin of the spectrum at the k-th edge, kept within [0, rows].
static int64_t edge(const bands *b, int64_t k, int64_t rows) {
    const double hertz = hertz_of_mel(b->low + (double)k * b->step);
    const int64_t bin = oq_to_i64(floor((double)(b->length + 1) * hertz / (double)b->rate));
    return bin < 0 ? 0 : bin > rows ? rows : bin;
}

// Column i of the matrix [rows, bins]: up from the left edge to the centre, down to the right edge.
static void fill_column(const bands *b, int64_t i, int64_t rows, double *column) {
    const int64_t left = edge(b, i, rows), centre = edge(b, i + 1, rows), right = edge(b, i + 2, rows);
    for (int64_t j = 0; j < rows; j++) column[j] = 0;
    if (left == centre && centre < rows) column[centre] = 1;
    for (int64_t j = left; left < centre && j <= centre && j < rows; j++)
        column[j] = (double)(j - left) / (double)(centre - left);
    for (int64_t j = centre; j < right; j++) column[j] = (double)(right - j) / (double)(right - centre);
}

static oq_status read_bands(const oq_run_context *context, bands *out, oq_error *err) {
    const oq_tensor *in[INPUTS];
    for (size_t i = 0; i < INPUTS; i++) {
        OQ_TRY(oq_need(context, i, &in[i], err));
        if (oq_tensor_count(in[i]) != 1)
            return oq_fail(err, ONNXQ_BAD_MODEL, "MelWeightMatrix: input %zu must be one number", i);
    }
    *out = (bands){.bins = oq_tensor_get_i64(in[0], 0),
                   .length = oq_tensor_get_i64(in[1], 0),
                   .rate = oq_tensor_get_i64(in[2], 0),
                   .low = mel_of_hertz(oq_tensor_get_f64(in[3], 0))};
    const int64_t most = INT32_MAX;
    if (out->bins < 0 || out->bins > most || out->length < 0 || out->length > most || out->rate <= 0)
        return oq_fail(err, ONNXQ_BAD_DATA, "MelWeightMatrix: sizes below 0 or too large, or no sample rate");
    out->step = (mel_of_hertz(oq_tensor_get_f64(in[4], 0)) - out->low) / (double)(out->bins + 2);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    bands b = {0};
    oq_tensor *y;
    oq_dtype dtype = (oq_dtype)oq_node_int(context->node, "output_datatype", ONNXQ_FLOAT);
    if (oq_work_of(dtype) == OQ_WORK_NONE) return oq_no_loop(context, dtype, err);
    OQ_TRY(read_bands(context, &b, err));
    const int64_t rows = b.length / 2 + 1;
    const oq_shape shape = {.rank = 2, .dim = {rows, b.bins}};
    double *column = oq_scratch(context, (size_t)rows * sizeof *column, err);
    if (!column) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_out(context, 0, dtype, &shape, &y, err));
    for (int64_t i = 0; i < b.bins; i++) {
        fill_column(&b, i, rows, column);
        for (int64_t j = 0; j < rows; j++)
            oq_convert_block(ONNXQ_DOUBLE, &column[j], dtype,
                             oq_at_mutable(y->data, (size_t)(j * b.bins + i), oq_dtype_bytes(dtype)), 1,
                             &(oq_convert_options){.saturate = true});
    }
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    int64_t bins, length;
    oq_dim dims[2] = {OQ_DIM_ANONYMOUS, OQ_DIM_ANONYMOUS};
    OQ_TRY(oq_infer_dtype_attr(context, "output_datatype", ONNXQ_FLOAT, &dtype, err));
    if (oq_infer_int(context, 1, &length) && length >= 0) dims[0] = oq_dim_of(length / 2 + 1);
    if (oq_infer_int(context, 0, &bins) && bins >= 0) dims[1] = oq_dim_of(bins);
    oq_infer_set(context, 0, dtype, 2, dims);
    return ONNXQ_OK;
}

static const oq_type_set types_17[] = {{"T1", OQ_T_INDEX}, {"T2", OQ_T_FLOATS4}, {"T3", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_17[] = {{"output_datatype", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 17,
     .signature = "num_mel_bins:T1, dft_length:T1, sample_rate:T1, lower_edge_hertz:T2, upper_edge_hertz:T2 "
                  "-> output:T3",
     .types = types_17,
     .attrs = attrs_17,
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(MelWeightMatrix, versions);
